//! An application: pipelines that are registered by name, so that one binary can run each of them.

use std::ffi::OsString;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use watershed_core::{KeyGroups, Pipeline};
use watershed_link::Links;
use watershed_runtime::{Caught, guarded};

use crate::parameters::{Parameter, ParameterError, Values, parameters_like, parameters_of};
use crate::{Error, cli};

/// The pipelines of a binary, by name. [`main`](crate::main) gives them a command line:
///
/// ```no_run
/// use watershed::prelude::*;
///
/// #[derive(Serialize, Deserialize)]
/// #[serde(default)]
/// struct Squares {
///     count: u64,
/// }
///
/// impl Default for Squares {
///     fn default() -> Self {
///         Squares { count: 100 }
///     }
/// }
///
/// fn squares(pipeline: &Pipeline, parameters: Squares) -> Result<(), watershed::Error> {
///     pipeline.source(Generator::new(0, |n, _| n * n).take(parameters.count)).discard();
///     Ok(())
/// }
///
/// fn main() -> std::process::ExitCode {
///     watershed::main(App::new("squares").pipeline("squares", "Squares numbers", squares))
/// }
/// ```
///
/// and `squares run squares --set count=7` runs it.
pub struct App {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) pipelines: Vec<Registered>,
    pub(crate) on_node: Vec<Box<dyn Fn(&Links)>>,
}

/// A pipeline under its name.
pub(crate) struct Registered {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) parameters: Vec<Parameter>,
    describe: Box<dyn Fn(&Pipeline, &Values) -> Result<(), DescribeError>>,
}

/// A function that describes a pipeline: `fn(&Pipeline) -> Result<(), Error>`, or with
/// [parameters](crate::parameters) `fn(&Pipeline, P) -> Result<(), Error>`.
///
/// `Shape` tells the two apart and is found by the compiler.
pub trait Describe<Shape>: 'static {
    /// The names and default values of the parameters.
    fn parameters(&self) -> Vec<Parameter>;

    /// Describes the pipeline, with these parameters.
    ///
    /// # Errors
    ///
    /// Where a parameter is unknown or does not suit, or the function fails.
    fn describe(&self, pipeline: &Pipeline, values: &Values) -> Result<(), DescribeError>;
}

/// Why a pipeline could not be described.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DescribeError {
    /// A parameter is unknown or does not suit.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The pipeline's own function failed.
    #[error("{0}")]
    Function(Error),
}

impl<F> Describe<()> for F
where
    F: Fn(&Pipeline) -> Result<(), Error> + 'static,
{
    fn parameters(&self) -> Vec<Parameter> {
        Vec::new()
    }

    fn describe(&self, pipeline: &Pipeline, values: &Values) -> Result<(), DescribeError> {
        values.read::<NoParameters>()?;
        self(pipeline).map_err(DescribeError::Function)
    }
}

impl<F, P> Describe<(P,)> for F
where
    F: Fn(&Pipeline, P) -> Result<(), Error> + 'static,
    P: Serialize + DeserializeOwned + Default,
{
    fn parameters(&self) -> Vec<Parameter> {
        parameters_of::<P>()
    }

    fn describe(&self, pipeline: &Pipeline, values: &Values) -> Result<(), DescribeError> {
        self(pipeline, values.read()?).map_err(DescribeError::Function)
    }
}

/// A function, and the default values of its parameters as text.
struct WithDefaults<F, P> {
    parameters: Vec<Parameter>,
    describe: F,
    of: PhantomData<fn(P)>,
}

impl<F, P> Describe<Defaulted> for WithDefaults<F, P>
where
    F: Fn(&Pipeline, P) -> Result<(), Error> + 'static,
    P: DeserializeOwned + 'static,
{
    fn parameters(&self) -> Vec<Parameter> {
        self.parameters.clone()
    }

    fn describe(&self, pipeline: &Pipeline, values: &Values) -> Result<(), DescribeError> {
        let parameters = values.or(&self.parameters).read()?;
        (self.describe)(pipeline, parameters).map_err(DescribeError::Function)
    }
}

/// The shape of a function with [default values](WithDefaults).
struct Defaulted;

/// What a pipeline without parameters is given.
#[derive(Default, Serialize, serde::Deserialize)]
struct NoParameters {}

impl App {
    /// An application without pipelines. `name` is what its binary is called.
    pub fn new(name: &'static str) -> Self {
        App { name, about: "Runs stream-processing pipelines", pipelines: Vec::new(), on_node: Vec::new() }
    }

    /// Says in a sentence what the application is for: the first line of its `--help`.
    #[must_use]
    pub fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// Registers a pipeline under a name, with a sentence about it.
    ///
    /// # Panics
    ///
    /// Where another one has the name.
    #[must_use]
    pub fn pipeline<Shape>(
        mut self,
        name: &'static str,
        about: &'static str,
        describe: impl Describe<Shape>,
    ) -> Self {
        assert!(self.find(name).is_none(), "two pipelines are registered as {name:?}");
        let parameters = describe.parameters();
        let describe =
            Box::new(move |pipeline: &Pipeline, values: &Values| describe.describe(pipeline, values));
        self.pipelines.push(Registered { name, about, parameters, describe });
        self
    }

    /// Registers a pipeline with the default values of its parameters, for a struct that has no
    /// [`Default`] of its own:
    ///
    /// ```
    /// use watershed::prelude::*;
    ///
    /// #[derive(Clone, Serialize, Deserialize)]
    /// struct Squares {
    ///     count: u64,
    /// }
    ///
    /// fn squares(pipeline: &Pipeline, Squares { count }: Squares) -> Result<(), watershed::Error> {
    ///     pipeline.source(Generator::new(0, |n, _| n * n).take(count)).discard();
    ///     Ok(())
    /// }
    ///
    /// let app = App::new("squares").pipeline_with("squares", "Squares numbers", Squares { count: 100 }, squares);
    /// ```
    ///
    /// # Panics
    ///
    /// Where another one has the name.
    #[must_use]
    pub fn pipeline_with<P>(
        self,
        name: &'static str,
        about: &'static str,
        defaults: P,
        describe: impl Fn(&Pipeline, P) -> Result<(), Error> + 'static,
    ) -> Self
    where
        P: Serialize + DeserializeOwned + 'static,
    {
        self.pipeline(
            name,
            about,
            WithDefaults { parameters: parameters_like(&defaults), describe, of: PhantomData },
        )
    }

    /// Registers what a module brings: `App::new("mine").with(flight_delays::register)`.
    #[must_use]
    pub fn with(self, register: impl FnOnce(App) -> App) -> Self {
        register(self)
    }

    /// Calls a function on each node that the binary's command `node` runs, once, as soon as the node is up: to give
    /// actors of your own names by which all nodes reach them. It is called on a thread where actix tasks can be spawned,
    /// and what it does there delays the node, so it should only start things. An actor that hears much from other nodes
    /// does best to live on the [thread of the links](Links::arbiter).
    ///
    /// ```
    /// use actix::prelude::*;
    /// use watershed::link::{Links, RemoteMessage};
    /// use watershed::prelude::App;
    ///
    /// #[derive(Message, serde::Serialize, serde::Deserialize)]
    /// #[rtype(result = "u64")]
    /// struct Add(u64);
    ///
    /// impl RemoteMessage for Add {
    ///     const NAME: &'static str = "add";
    /// }
    ///
    /// struct Sum(u64);
    ///
    /// impl Actor for Sum {
    ///     type Context = Context<Self>;
    /// }
    ///
    /// impl Handler<Add> for Sum {
    ///     type Result = u64;
    ///
    ///     fn handle(&mut self, Add(number): Add, _: &mut Context<Self>) -> u64 {
    ///         self.0 += number;
    ///         self.0
    ///     }
    /// }
    ///
    /// let app = App::new("sums").on_node(|links: &Links| {
    ///     let sum = Sum::start_in_arbiter(&links.arbiter(), |_| Sum(0));
    ///     links.register(&format!("sum-{}", links.local().node.as_str()), sum.recipient::<Add>());
    /// });
    /// ```
    ///
    /// Any node then finds `sum-n1` by [`Links::lookup`]; see [`link`](crate::link) for what can be done with it. A name
    /// that several nodes give is found by none: give one of each node, or of the one node that should have it.
    #[must_use]
    pub fn on_node(mut self, start: impl Fn(&Links) + 'static) -> Self {
        self.on_node.push(Box::new(start));
        self
    }

    /// Whether the application's binary would understand what stands behind its name on a command line: which commands,
    /// flags and numbers there are. Nothing is carried out. Documentation and scripts can be tested by it:
    ///
    /// ```
    /// use watershed::App;
    ///
    /// let app = App::new("mine");
    /// assert!(app.understands(["run", "squares", "--parallelism", "4"]).is_ok());
    /// assert!(app.understands(["run", "squares", "--paralelism", "4"]).is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// What the binary would say, where it would refuse the command line.
    pub fn understands<A: Into<OsString>>(&self, line: impl IntoIterator<Item = A>) -> Result<(), String> {
        let line: Vec<OsString> = line.into_iter().map(Into::into).collect();
        cli::understand(self, &line)
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Registered> {
        self.pipelines.iter().find(|pipeline| pipeline.name == name)
    }
}

impl Registered {
    /// The described pipeline, not yet a plan.
    pub(crate) fn describe(
        &self,
        key_groups: KeyGroups,
        values: &Values,
    ) -> Result<Pipeline, ParameterError> {
        let pipeline = Pipeline::new(self.name, key_groups);
        match guarded(|| (self.describe)(&pipeline, values)) {
            Ok(Ok(())) => {}
            Ok(Err(DescribeError::Parameter(error))) => return Err(error),
            Ok(Err(DescribeError::Function(error))) => pipeline.fail(error.to_string()),
            // Most panics are parameters that somebody has checked with an assertion.
            Err(Caught { message, location, .. }) => {
                let at = location.map_or_else(String::new, |location| format!(" (at {location})"));
                pipeline.fail(format!("the pipeline cannot be described: {message}{at}"));
            }
        }
        Ok(pipeline)
    }
}
