//! The smallest pipeline: numbers become greetings.

use watershed::prelude::*;

#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Hello {
    name: String,
    times: u64,
}

impl Default for Hello {
    fn default() -> Self {
        Hello { name: "stream".to_owned(), times: 3 }
    }
}

fn hello(pipeline: &Pipeline, Hello { name, times }: Hello) -> Result<(), watershed::Error> {
    let numbers = pipeline.source(Generator::new(0, |n, _| n + 1).take(times));
    numbers.map(move |n| format!("hello {name}, number {n}")).sink(Print::display());
    Ok(())
}

pub(crate) fn register(app: App) -> App {
    app.pipeline("hello", "Greets somebody a number of times", hello)
}
