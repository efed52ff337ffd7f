//! How a canvas is arranged over time, seen from outside.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails shall panic, in its helpers too"
)]

mod room;

mod any_history_ends_like_a_fresh_room;
mod changes_come_together;
mod crowds_show_who_matters;
mod golden_pictures;
mod layouts_as_written;
mod positions_are_honoured;
mod responsive_grid_holds_everybody;
mod seats_stay;
mod slots_say_who_may_sit;
mod the_large_picture_follows;
