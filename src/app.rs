//! An application: pipelines that are registered by name, so that one binary can run each of them.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use watershed_core::{KeyGroups, Pipeline};
use watershed_runtime::{Caught, guarded};

use crate::Error;
use crate::parameters::{Parameter, ParameterError, Values, parameters_like, parameters_of};

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
        App { name, about: "Runs stream-processing pipelines", pipelines: Vec::new() }
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
