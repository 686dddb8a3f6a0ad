//! The smallest pipeline: numbers become greetings.
//!
//! A pipeline is a function that is handed a [`Pipeline`] and says what should happen: a *source* emits records, each
//! step returns a stream on which the next one is called, and a *sink* ends it. Nothing runs while the function
//! does; it describes a plan, which `watershed plan hello` shows and `watershed run hello` runs.
//!
//! Its parameters are a struct. The fields' names, types and default values are all that has to be said for
//! `--set name=you --set times=5` to work, and for `watershed pipelines` to list them.
//!
//! Sources, sinks and operators that remember something have a `uid`, by which what they have saved is found again,
//! whatever the pipeline becomes.
//!
//! `register` gives the function a name. The module can then be part of a binary of its own (`main.rs`), of the
//! stock binary, or of yours.

use watershed::prelude::*;

#[derive(Serialize, Deserialize)]
struct Hello {
    name: String,
    times: u64,
}

// README: hello
fn hello(pipeline: &Pipeline, Hello { name, times }: Hello) -> Result<(), watershed::Error> {
    let numbers = pipeline.source(Generator::new(0, |n, _| n + 1).take(times)).uid("numbers");
    numbers.map(move |n| format!("hello {name}, number {n}")).sink(Print::display()).uid("greetings");
    Ok(())
}
// README: end

pub(crate) fn register(app: App) -> App {
    let defaults = Hello { name: "stream".to_owned(), times: 3 };
    app.pipeline_with("hello", "Greets somebody a number of times", defaults, hello)
}
