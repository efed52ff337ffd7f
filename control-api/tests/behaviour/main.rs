//! Sessions and rooms together, seen from their clients' sockets and from the media plane, in virtual time.
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one variant among many")]

#[cfg(test)]
mod world;

#[cfg(test)]
mod play;

#[cfg(test)]
mod join_goes_in_order;

#[cfg(test)]
mod known_calls_reload_or_resume;

#[cfg(test)]
mod audience_listens;

#[cfg(test)]
mod children_belong_to_a_member;

#[cfg(test)]
mod roles_change_by_a_new_call;

#[cfg(test)]
mod legs_carry_what_is_allowed;

#[cfg(test)]
mod tile_legs_draw_themselves;

#[cfg(test)]
mod contract;

#[cfg(test)]
mod every_method_follows_the_contract;

#[cfg(test)]
mod methods_do_what_they_say;

#[cfg(test)]
mod presence_decides_who_stays;

#[cfg(test)]
mod sessions_outlive_sockets;

#[cfg(test)]
mod the_gap_loses_no_last_state;

#[cfg(test)]
mod settings_act;

#[cfg(test)]
mod layouts_are_defined_and_tried;

#[cfg(test)]
mod subscriptions_give_state_first;

#[cfg(test)]
mod the_canvas_is_followed;

#[cfg(test)]
mod hostile_json_is_an_error;

#[cfg(test)]
mod recordings_follow_the_recorder;
mod refused_params_change_nothing;

#[cfg(test)]
mod random_operations_keep_the_order;

#[cfg(test)]
mod wire_is_as_recorded;

#[cfg(test)]
mod documents_name_everything;

#[cfg(test)]
mod the_fuzz_corpus_is_harmless;
