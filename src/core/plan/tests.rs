//! What plans say of pipelines, and what they refuse.

use crate::plan::{Fingerprint, Plan, PlanError};
use crate::shared::AnyShared;
use crate::shared::doubles::Most;
use crate::stage::DEAD_LETTERS;
use crate::testing::Numbers;
use crate::{EventTime, EventTimes, KeyGroups, Output, Pipeline, SideOutput, Transform, VertexId};

fn plan(describe: impl FnOnce(&Pipeline)) -> Result<Plan, PlanError> {
    let pipeline = Pipeline::new("test", KeyGroups::default());
    describe(&pipeline);
    pipeline.plan()
}

#[test]
fn operators_between_two_exchanges_are_one_vertex() {
    let plan = plan(|pipeline| {
        let numbers = pipeline.source(Numbers::up_to(1)).named("numbers").map(|n| n + 1).filter(|n| *n > 0);
        numbers.uid("positive").rebalance().map(|n| n as f64).parallelism(3).discard();
    });
    assert_eq!(
        plan.unwrap().to_text().lines().skip(1).collect::<Vec<_>>(),
        [
            "0: numbers -> map -> filter",
            "     source-1 [source] emits u64",
            "     map-1 [map] emits u64",
            "     positive [filter] emits u64",
            "     round robin => 1",
            "1: map x3",
            "     map-2 [map] emits f64",
        ]
    );
}

#[test]
fn a_drawing_names_every_vertex_and_edge() {
    let dot = plan(|pipeline| {
        let shared = pipeline.source(Numbers::up_to(1)).named("a \"b\"").shared();
        shared.branch().discard();
        shared.side(&SideOutput::<u8>::new("late")).discard();
    });
    let dot = dot.unwrap().to_dot();
    assert!(dot.contains(r#"v0 [label="a \"b\""];"#), "{dot}");
    assert!(dot.contains(r#"v0 -> v1 [label="forward", style=solid];"#), "{dot}");
    assert!(dot.contains(r#"v0 -> v2 [label="forward\nlate", style=dashed];"#), "{dot}");
}

#[test]
fn two_operators_with_one_uid_are_refused() {
    let error = plan(|pipeline| {
        pipeline.source(Numbers::up_to(1)).uid("same").map(|n| n).uid("same").discard();
    });
    assert_eq!(error.unwrap_err(), PlanError::DuplicateUid { uid: "same".to_owned() });
}

#[test]
fn a_stream_that_goes_nowhere_is_refused() {
    let error = plan(|pipeline| {
        drop(pipeline.source(Numbers::up_to(1)).map(|n| n).named("lost"));
    });
    assert_eq!(error.unwrap_err(), PlanError::Unfinished { operator: "lost".to_owned() });
}

#[test]
fn a_pipeline_without_a_source_is_refused() {
    assert_eq!(plan(|_| {}).unwrap_err(), PlanError::Empty);
}

#[test]
fn parallelism_must_lie_between_one_and_the_key_groups() {
    for parallelism in [0, 129] {
        let error = plan(|pipeline| {
            pipeline.source(Numbers::up_to(1)).parallelism(parallelism).discard();
        });
        let operator = "source".to_owned();
        assert_eq!(error.unwrap_err(), PlanError::Parallelism { operator, parallelism, groups: 128 });
    }
    let plan = plan(|pipeline| pipeline.source(Numbers::up_to(1)).discard()).unwrap();
    assert!(plan.check_parallelism(0).is_err());
    assert!(plan.check_parallelism(128).is_ok());
}

#[test]
fn event_times_belong_before_the_first_exchange() {
    let error = plan(|pipeline| {
        let times = EventTimes::by(|n: &u64| EventTime::from_millis(*n as i64));
        pipeline.source(Numbers::up_to(1)).rebalance().event_times(times).discard();
    });
    assert!(matches!(error.unwrap_err(), PlanError::LateEventTimes { .. }));
}

#[test]
fn a_side_output_has_one_record_type() {
    let error = plan(|pipeline| {
        let numbers = pipeline.source(Numbers::up_to(1));
        numbers.side(&SideOutput::<u8>::new("odd")).discard();
        numbers.side(&SideOutput::<String>::new("odd")).discard();
        numbers.discard();
    });
    assert!(matches!(error.unwrap_err(), PlanError::SideOutput { .. }));
}

#[test]
fn dead_letters_come_from_everybody_but_those_behind_them() {
    let plan = plan(|pipeline| {
        pipeline.source(Numbers::up_to(1)).rebalance().discard();
        pipeline.dead_letters().rebalance().discard();
    });
    let plan = plan.unwrap();
    let senders: Vec<u32> =
        plan.edges.iter().filter(|edge| edge.output == DEAD_LETTERS.name()).map(|edge| edge.from.0).collect();
    assert_eq!(senders, [0, 1]);
}

#[test]
fn a_fingerprint_changes_with_types_and_graph_and_not_with_names_or_parallelism() {
    let of = |describe: fn(&Pipeline)| Fingerprint::of(&plan(describe).unwrap());
    let first = of(|pipeline| pipeline.source(Numbers::up_to(1)).map(|n| n).discard());
    let named = of(|pipeline| {
        pipeline.source(Numbers::up_to(9)).named("x").map(|n| n + 1).parallelism(4).discard();
    });
    let typed = of(|pipeline| pipeline.source(Numbers::up_to(1)).map(|n| n as i32).discard());
    assert_eq!(first, named);
    assert_ne!(first, typed);
    assert_eq!(first.difference(&typed), "- vertex 0: map map-1 -> u64\n+ vertex 0: map map-1 -> i32\n");
}

#[test]
fn a_fingerprint_tells_the_operators_in_their_order() {
    let plan = plan(|pipeline| {
        pipeline.source(Numbers::up_to(1)).uid("the numbers").rebalance().map(|n| n as i32).discard();
    });
    let fingerprint = Fingerprint::of(&plan.unwrap());
    let told: Vec<_> =
        fingerprint.operators().map(|one| (one.vertex.0, one.kind, one.uid, one.emits)).collect();
    assert_eq!(told, [(0, "source", "the numbers", "u64"), (1, "map", "map-1", "i32")]);
}

/// Looks at shared state, and lets everything pass.
#[derive(Clone)]
struct Looking(Vec<AnyShared>);

impl Transform for Looking {
    type In = u64;
    type Out = u64;
    type State = ();

    fn shared(&self) -> Vec<AnyShared> {
        self.0.clone()
    }

    fn on_record(&self, record: u64, _: EventTime, (): &mut (), out: &mut impl Output<u64>) {
        out.emit(record);
    }
}

fn with_shared(names: &[&str]) -> Result<Plan, PlanError> {
    plan(|pipeline| {
        let states = names.iter().map(|name| pipeline.shared::<String, _, _>(name, Most).any());
        let states: Vec<_> = states.collect();
        let numbers = pipeline.source(Numbers::up_to(1)).transform("look", Looking(states.clone()));
        numbers.rebalance().map(|n| n).transform("look", Looking(states)).discard();
    })
}

#[test]
fn a_plan_tells_its_shared_states_and_who_uses_them() {
    let plan = with_shared(&["rules", "limits"]).unwrap();
    let told: Vec<_> = plan.shared.iter().map(|shared| (shared.state.name(), shared.users.clone())).collect();
    let users = vec![VertexId(0), VertexId(1)];
    assert_eq!(told, [("rules", users.clone()), ("limits", users)]);
    assert_eq!(plan.shared[1].state.table().name(), "limits");
    let text = plan.to_text();
    let told = "shared \"rules\": Shared<String, u64, Option<u64>, u64>, used by 0, 1";
    assert!(text.contains(told), "{text}");
}

#[test]
fn a_fingerprint_tells_shared_state_only_where_there_is_any() {
    let [none, one, other] =
        [[].as_slice(), &["rules"], &["limits"]].map(|names| Fingerprint::of(&with_shared(names).unwrap()));
    let line = |name| {
        format!(
            "shared 0: {name} Shared<String, u64, Option<u64>, u64> by watershed_core::shared::doubles::Most, \
             used by 0, 1\n"
        )
    };
    assert_eq!(none.difference(&one), format!("+ {}", line("rules")));
    assert_eq!(one.difference(&other), format!("- {}+ {}", line("rules"), line("limits")));
    assert_eq!(one.operators().count(), none.operators().count());
    let types = "Shared<String, u64, Option<u64>, u64> by watershed_core::shared::doubles::Most";
    assert_eq!([one.shared("rules"), one.shared("limits"), one.shared("rule")], [Some(types), None, None]);
    assert_eq!(one.pipeline(), Some("test"));
}

#[test]
fn a_shared_state_has_a_name_of_its_own_that_can_be_one() {
    let refused = |names: &[&str]| with_shared(names).unwrap_err();
    assert_eq!(refused(&["rules", "rules"]), PlanError::DuplicateShared { name: "rules".to_owned() });
    for name in ["", "two words", "a/b", "größe", "\n"] {
        assert_eq!(refused(&[name]), PlanError::SharedName { name: name.to_owned() });
    }
    assert!(matches!(refused(&[&"x".repeat(129)]), PlanError::SharedName { .. }));
    assert!(with_shared(&[&"x".repeat(128), "a-B_1.c"]).is_ok());
}

#[test]
fn a_handle_of_another_pipeline_is_refused() {
    let other = Pipeline::new("other", KeyGroups::default()).shared::<String, _, _>("rules", Most);
    let error = plan(|pipeline| {
        let _own = pipeline.shared::<String, _, _>("rules", Most);
        pipeline.source(Numbers::up_to(1)).transform("look", Looking(vec![other.any()])).discard();
    });
    let (operator, name) = ("source -> look".to_owned(), "rules".to_owned());
    assert_eq!(error.unwrap_err(), PlanError::ForeignShared { operator, name });
}

#[test]
fn fingerprints_are_golden() {
    let plan = plan(|pipeline| pipeline.source(Numbers::up_to(1)).rebalance().map(|n| n).discard());
    assert_eq!(Fingerprint::of(&plan.unwrap()).to_string(), "a14e62a28be84067");
}
