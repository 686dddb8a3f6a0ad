//! The stock binary: the command line with the pipelines of `examples/`.

use std::process::ExitCode;

use watershed::App;

mod pipelines;

fn main() -> ExitCode {
    let app = App::new("watershed").about("Runs stream-processing pipelines, exactly, as actors");
    watershed::main(app.with(pipelines::register))
}
