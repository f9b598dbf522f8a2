//! No circles: files of a crate that name each other round and round cannot be understood one by one.
//!
//! A file may name its own modules and they it: they are one thing told in parts. Tests may name anything. The crate of
//! the rules is left out: a state, its writes, its events and their hashes are one knot by nature.

use crate::layering::{is_test_file, sources};
use crate::program::root;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use syn::{Attribute, Item};

const CRATES: &[&str] = &["storage", "actors", "emulator"];

/// A path of a module, from the root of its crate.
type Module = Vec<String>;

/// The module that a file is.
fn module(source: &Path, file: &Path) -> Module {
    let path = file.strip_prefix(source).expect("below it").with_extension("");
    let mut module: Module =
        path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    let is_its_folder = |name: &String| ["mod", "main", "lib"].contains(&name.as_str());
    module.pop_if(|name| is_its_folder(name));
    module
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.to_token_stream().to_string().contains("test")
    })
}

/// The paths that an item names: those of a `use`, elsewhere those that begin with a keyword.
fn paths_of(item: Item) -> Vec<Module> {
    let mut found = Vec::new();
    match item {
        Item::Mod(item) if is_for_tests(&item.attrs) => {}
        Item::Use(item) if is_for_tests(&item.attrs) => {}
        Item::Use(item) => spread(item.tree.to_token_stream(), &[], &mut found),
        other => {
            spread(other.to_token_stream(), &[], &mut found);
            found.retain(|path| ["crate", "super", "self"].contains(&path[0].as_str()));
        }
    }
    found
}

/// All paths of a stream, groups spread out.
fn spread(stream: TokenStream, before: &[String], found: &mut Vec<Module>) {
    let mut path: Module = before.to_vec();
    let mut colons = 0;
    for token in stream {
        match &token {
            TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
            TokenTree::Ident(name) => {
                if colons != 2 && path.len() > before.len() {
                    found.push(std::mem::replace(&mut path, before.to_vec()));
                }
                colons = 0;
                path.push(name.to_string());
            }
            TokenTree::Group(group) => {
                let spreads = colons == 2 && group.delimiter() == Delimiter::Brace;
                let prefix = if spreads { std::mem::take(&mut path) } else { Vec::new() };
                spread(group.stream(), &prefix, found);
                colons = 0;
            }
            _ => {
                if path.len() > before.len() {
                    found.push(std::mem::replace(&mut path, before.to_vec()));
                }
                path = before.to_vec();
                colons = 0;
            }
        }
    }
    if path.len() > before.len() {
        found.push(path);
    }
}

/// The module of a crate that a path names, seen from another one.
fn named(path: &[String], from: &Module, all: &BTreeSet<Module>) -> Option<Module> {
    let mut base = from.clone();
    let mut rest = path;
    while let [first, more @ ..] = rest {
        match first.as_str() {
            "crate" => base.clear(),
            "super" => drop(base.pop()),
            "self" => {}
            _ => break,
        }
        rest = more;
    }
    base.extend_from_slice(rest);
    while !base.is_empty() && !all.contains(&base) {
        base.pop();
    }
    Some(base).filter(|module| !module.is_empty())
}

/// Which modules of a crate name which, their own parents left out.
fn arrows(source: &Path) -> BTreeMap<Module, BTreeSet<Module>> {
    let files: Vec<_> = sources(source).into_iter().filter(|file| !is_test_file(file)).collect();
    let all: BTreeSet<Module> = files.iter().map(|file| module(source, file)).collect();
    let mut arrows = BTreeMap::new();
    for file in &files {
        let from = module(source, file);
        let text = std::fs::read_to_string(file).expect("readable");
        let items = syn::parse_file(&text).expect("it compiles").items;
        let found = items.into_iter().flat_map(paths_of);
        let to: BTreeSet<Module> = found.filter_map(|path| named(&path, &from, &all)).collect();
        let to = to.into_iter().filter(|to| !from.starts_with(to)).collect();
        arrows.insert(from, to);
    }
    arrows
}

/// What is left of arrows when all that lead nowhere are taken away, and those after them.
fn circles(mut arrows: BTreeMap<Module, BTreeSet<Module>>) -> Vec<String> {
    loop {
        let open: BTreeSet<Module> =
            arrows.iter().filter(|(_, to)| !to.is_empty()).map(|(from, _)| from.clone()).collect();
        let before: usize = arrows.values().map(BTreeSet::len).sum();
        arrows.values_mut().for_each(|to| to.retain(|to| open.contains(to)));
        if before == arrows.values().map(BTreeSet::len).sum::<usize>() {
            break;
        }
    }
    let lines = arrows.iter().flat_map(|(from, to)| {
        to.iter().map(|to| format!("{} names {}", from.join("::"), to.join("::")))
    });
    lines.collect()
}

#[test]
fn files_do_not_name_each_other_in_circles() {
    for name in CRATES {
        let arrows = arrows(&root().join(name).join("src"));
        let count: usize = arrows.values().map(BTreeSet::len).sum();
        assert!(count > arrows.len(), "{name}: only {count} arrows between {} files", arrows.len());
        let circles = circles(arrows);
        assert!(circles.is_empty(), "{name}, in a circle or above one:\n{}", circles.join("\n"));
    }
}

#[test]
fn a_circle_is_found_wherever_it_is() {
    let text = "use super::{b::{C, d}, e}; fn f() { crate::g::h(super::i::K) }";
    let file = syn::parse_file(text).expect("it is Rust");
    let found: Vec<Module> = file.items.into_iter().flat_map(paths_of).collect();
    let found: Vec<String> = found.iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["super::b::C", "super::b::d", "super::e", "super::i::K", "crate::g::h"]);

    let module = |name: &str| vec![name.to_owned()];
    let to = |names: &[&str]| names.iter().map(|name| module(name)).collect::<BTreeSet<_>>();
    let mut arrows = BTreeMap::from([
        (module("a"), to(&["b"])),
        (module("b"), to(&["c"])),
        (module("c"), to(&[])),
    ]);
    assert_eq!(circles(arrows.clone()), [""; 0]);
    arrows.insert(module("c"), to(&["a"]));
    assert_eq!(circles(arrows), ["a names b", "b names c", "c names a"]);
}
