//! Refuses a job that asks for more than one of its sources can hold to.
//!
//! A job that keeps checkpoints asks for exactly once unless told otherwise, and its sources that cannot ask for their
//! input again then log what arrives below the state directory. A source that does neither would lose records at a
//! kill without a word; so the job is refused before anything is opened, and its author decides.

use watershed_core::{Guarantee, Plan};

use crate::error::JobError;

/// Whether sources log what arrives in a job that asks for this. At most once is had without.
#[must_use]
pub fn logs(asked: Guarantee) -> bool {
    asked != Guarantee::AtMostOnce
}

/// Checks that every source of a job that keeps checkpoints holds to what the job asks for.
///
/// # Errors
///
/// Where one does not, naming it and the ways out.
pub fn demand(plan: &Plan, asked: Guarantee) -> Result<(), JobError> {
    for vertex in plan.vertices.iter().filter(|vertex| vertex.is_source) {
        let holds = vertex.factory.guarantee(logs(asked));
        if !holds.serves(asked) {
            let operator = vertex.stages.first().map_or_else(String::new, |stage| stage.uid.clone());
            return Err(JobError::Guarantee { operator, holds, asked });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use watershed_core::spi::SplitLog;
    use watershed_core::testing::Numbers;
    use watershed_core::{KeyGroups, Pipeline, Position, Source, SourceError};

    /// Numbers that claim to be gone once they are read, and may be logged.
    #[derive(Clone)]
    struct Claims(Guarantee, bool, Numbers);

    impl Source for Claims {
        type Out = u64;
        type Split = <Numbers as Source>::Split;
        type Reader = <Numbers as Source>::Reader;

        fn splits(&self, parallelism: u32) -> Result<Vec<Self::Split>, SourceError> {
            self.2.splits(parallelism)
        }

        fn open(&self, split: &Self::Split, from: Option<Position>) -> Result<Self::Reader, SourceError> {
            self.2.open(split, from)
        }

        fn guarantee(&self) -> Guarantee {
            self.0
        }

        fn can_log(&self) -> bool {
            self.1
        }

        fn open_logged(
            &self,
            split: &Self::Split,
            from: Option<Position>,
            _: &dyn SplitLog,
        ) -> Result<Self::Reader, SourceError> {
            self.open(split, from)
        }

        fn describe(&self, split: &Self::Split) -> String {
            self.2.describe(split)
        }
    }

    fn refusal(holds: Guarantee, can_log: bool, asked: Guarantee) -> Option<String> {
        let pipeline = Pipeline::new("test", KeyGroups::default());
        pipeline.source(Claims(holds, can_log, Numbers::up_to(1))).uid("wire").discard();
        demand(&pipeline.plan().expect("the plan is sound"), asked).err().map(|error| error.to_string())
    }

    #[test]
    fn a_source_that_loses_is_refused_unless_it_logs_or_loss_is_put_up_with() {
        use Guarantee::{AtLeastOnce, AtMostOnce, ExactlyOnce};
        for asked in [ExactlyOnce, AtLeastOnce] {
            let refused = refusal(AtMostOnce, false, asked).expect("it loses");
            let says = format!("source wire holds to at-most-once, and the job asks for {asked}");
            assert!(refused.starts_with(&says), "{refused}");
            assert!(
                refused.contains(".without_log()") && refused.contains("guarantee = \"at-most-once\""),
                "{refused}"
            );
            assert_eq!(refusal(AtMostOnce, true, asked), None);
            assert_eq!(refusal(ExactlyOnce, false, asked), None);
        }
        assert_eq!(refusal(AtMostOnce, true, AtMostOnce), None);
        assert_eq!(refusal(AtLeastOnce, false, AtLeastOnce), None);
        assert!(refusal(AtLeastOnce, false, ExactlyOnce).is_some());
    }
}
