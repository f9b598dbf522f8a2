//! `btemu log`: the events or calls of a run, one line each.

use super::Failure;
use super::follow::follow;
use super::listing::{Listing, LogArguments, list};
use super::portable::{self};
use super::reading::Reading;
use crate::likeness::meant;
use protocol::call::{Call, Setting};
use protocol::event::{Event, Sealed};
use strum::VariantNames;

/// Lists what passes every filter.
pub fn run(arguments: &LogArguments) -> Result<(), Failure> {
    if let Some(command) = &arguments.portable {
        return portable::run(command);
    }
    check_kinds(arguments)?;
    let mut listing = Listing::new(arguments);
    if arguments.follow {
        return follow(arguments, &mut listing);
    }
    let reading = Reading::open(arguments.folder())?;
    list(arguments, &reading, None, &mut listing)?;
    listing.tell_if_nothing();
    Ok(())
}

fn check_kinds(arguments: &LogArguments) -> Result<(), Failure> {
    let known: Vec<&str> = match arguments.calls {
        true => Call::VARIANTS.iter().copied().chain(Setting::names()).collect(),
        false => Event::kinds().iter().chain(Sealed::kinds()).copied().collect(),
    };
    for kind in &arguments.kind {
        if known.contains(&kind.as_str()) {
            continue;
        }
        let hint = Some(meant(kind, &known));
        let what = if arguments.calls { "call" } else { "event" };
        return Err(Failure::usage(format!("--kind {kind}: there is no such {what}"), hint));
    }
    Ok(())
}
