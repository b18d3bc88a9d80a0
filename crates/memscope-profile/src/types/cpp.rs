//! What C++ says of the blocks that `operator new` gives: the standard library's allocators and makers have the type in
//! their names, and the container that asks them stands around them.
//!
//! A `new` expression of the program's own is a call of `operator new` like any other. What it is for, only debug information
//! can say, and that of few compilers does; of others only the function is said.
//!
//! Invariants: a type is said only if a function of the standard library says it, next to `operator new`; any text is taken.
//! Deliberately absent: other libraries' containers, unless they allocate by an allocator of the standard form.

use super::rules::Family;
use super::text;
use super::walk::Step;

/// Frames that are looked at for the allocator, and beyond it for the container.
const MAX_FRAMES: usize = 5;

/// Nodes by their type: how they are called if they hold a pair (a map's), and else. `{0}` and `{1}` are what is in them.
const NODES: &[(&str, &str, &str)] = &[
    ("std::_Rb_tree_node", "std::map<{0}, {1}> node", "std::set<{0}> node"),
    (
        "std::__detail::_Hash_node",
        "std::unordered_map<{0}, {1}> node",
        "std::unordered_set<{0}> node",
    ),
    ("std::_List_node", "std::list<{T}> node", "std::list<{T}> node"),
    ("std::_Fwd_list_node", "std::forward_list<{T}> node", "std::forward_list<{T}> node"),
    ("std::_Sp_counted_ptr_inplace", "std::shared_ptr<{T}>", "std::shared_ptr<{T}>"),
];

/// Containers by the classes whose methods ask an allocator: `{T}` is what the allocator is for.
const CONTAINERS: &[(&str, &str)] = &[
    ("std::_Vector_base", "std::vector<{T}>"),
    ("std::vector", "std::vector<{T}>"),
    ("std::_Bvector_base", "std::vector<bool>"),
    ("std::_Deque_base", "std::deque<{T}>"),
    ("std::basic_string", "std::basic_string<{T}>"),
    ("std::__detail::_Hashtable_alloc", "hash table buckets"),
];

/// Arguments at the end of a list that go without saying.
const LEFT_OUT: [&str; 5] =
    ["std::allocator<", "std::char_traits<", "std::less<", "std::hash<", "std::equal_to<"];

/// What is said of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CppSaid {
    pub(super) family: Family,
    /// The type of the values, as its text stands.
    pub(super) value: String,
    /// How the whole is called.
    pub(super) name: String,
}

/// Whether a function is `operator new`, in any of its forms.
pub(super) fn is_operator_new(name: &str) -> bool {
    name.starts_with("operator new")
}

/// The type that the allocator is for whose method this is; `None` for any other function.
pub(super) fn allocated(name: &str) -> Option<&str> {
    let function = Function::of(name)?;
    let (base, arguments) = text::parts(function.owner);
    let is_allocator = base.ends_with("allocator") && function.name == "allocate";
    arguments.first().copied().filter(|_| is_allocator)
}

/// The type that `std::make_unique` makes one of.
pub(super) fn made(name: &str) -> Option<&str> {
    let function = Function::of(name)?;
    (function.owner == "std" && function.name == "make_unique")
        .then(|| function.arguments.first().copied())
        .flatten()
}

/// Reads the frames after `operator new`.
pub(super) fn read(steps: &[&Step<'_>]) -> Option<CppSaid> {
    let names = || steps.iter().take(MAX_FRAMES).map(|step| step.name);
    let first = steps.first()?.name;
    if let Some(value) = made(first) {
        let value = value.to_owned();
        let (family, value) = match value.strip_suffix("[]") {
            Some(element) => (Family::Array, element.to_owned()),
            None => (Family::Value, value),
        };
        let name = format!("std::unique_ptr<{}>", short(made(first)?));
        return Some(CppSaid { family, value, name });
    }
    let function = Function::of(first)?;
    let (owner, arguments) = text::parts(function.owner);
    if plain(owner) == "std::basic_string" {
        let value = (*arguments.first()?).to_owned();
        return Some(CppSaid { family: Family::Array, value, name: short(function.owner) });
    }
    // The counts of a pointer that was not made together with its value.
    if owner == "std::__shared_count" && function.name == "__shared_count" {
        let value = function.arguments.first()?.strip_suffix('*')?;
        let name = format!("std::shared_ptr<{}> counts", short(value));
        return Some(CppSaid { family: Family::Value, value: String::new(), name });
    }
    let (place, value) =
        names().enumerate().find_map(|(place, name)| Some((place, allocated(name)?)))?;
    // Only the library's own functions may stand between.
    if !names().take(place).all(|name| name.starts_with("std::")) {
        return None;
    }
    let (base, inner) = text::parts(value);
    if let Some((_, of_pair, of_one)) = NODES.iter().find(|(node, ..)| *node == base) {
        let held = *inner.first()?;
        let (pair, fields) = text::parts(held);
        let fields: Vec<_> = fields.iter().map(|field| short(field)).collect();
        let name = match (pair, &fields[..]) {
            ("std::pair", [key, value]) => {
                of_pair.replace("{0}", key.trim_end_matches(" const")).replace("{1}", value)
            }
            _ => of_one.replace("{0}", &short(held)),
        };
        let name = name.replace("{T}", &short(held));
        return Some(CppSaid { family: Family::Value, value: value.to_owned(), name });
    }
    let containers = names().skip(place + 1).filter_map(Function::of).find_map(|function| {
        let (owner, arguments) = text::parts(function.owner);
        let found = CONTAINERS.iter().find(|(class, _)| *class == plain(owner))?;
        Some((found.1, arguments.first().copied().unwrap_or_default()))
    });
    let name = match containers {
        // A deque has a table of its pieces.
        Some((template, held)) if value.strip_suffix('*') == Some(held) => {
            format!("{} pieces", template.replace("{T}", &short(held)))
        }
        Some((template, _)) if plain_string(template, value) => "std::string".to_owned(),
        Some((template, _)) => template.replace("{T}", &short(value)),
        None => format!("std::allocator<{}>", short(value)),
    };
    Some(CppSaid { family: Family::Array, value: value.to_owned(), name })
}

fn plain_string(template: &str, value: &str) -> bool {
    value == "char" && template.starts_with("std::basic_string")
}

/// A function's name without what it takes and gives back.
struct Function<'n> {
    owner: &'n str,
    name: &'n str,
    arguments: Vec<&'n str>,
}

impl<'n> Function<'n> {
    fn of(name: &'n str) -> Option<Self> {
        let (mut depth, mut start, mut split, mut end) = (0_usize, 0, None, name.len());
        let bytes = name.as_bytes();
        for at in 0..bytes.len() {
            match bytes[at] {
                b'<' => depth += 1,
                b'>' if at > 0 && bytes[at - 1] == b'-' => {}
                b'>' => depth = depth.checked_sub(1)?,
                b'(' if depth == 0 => {
                    end = at;
                    break;
                }
                b'(' | b'{' | b'[' => depth += 1,
                b')' | b'}' | b']' => depth = depth.checked_sub(1)?,
                b' ' if depth == 0 => (start, split) = (at + 1, None),
                b':' if depth == 0 && at > start && bytes[at - 1] == b':' => split = Some(at - 1),
                _ => {}
            }
        }
        let split = split?;
        let (function, arguments) = text::parts(&name[split + 2..end]);
        Some(Self { owner: &name[start..split], name: function, arguments })
    }
}

/// A path of the library without the namespace of its version.
fn plain(path: &str) -> String {
    path.replace("std::__cxx11::", "std::").replace("std::__1::", "std::")
}

/// As a person would write it: the program's namespaces and the library's defaults left out.
pub(super) fn short(text: &str) -> String {
    short_within(text, 0)
}

fn short_within(text: &str, depth: usize) -> String {
    let text = text.trim();
    if depth > 32 {
        return text.to_owned();
    }
    for end in ["*", "&", " const"] {
        if let Some(inner) = text.strip_suffix(end) {
            return format!("{}{end}", short_within(inner, depth));
        }
    }
    let (base, mut arguments) = text::parts(text);
    if !text.ends_with('>') {
        return last_of(&plain(text));
    }
    while let Some(last) = arguments.last()
        && arguments.len() > 1
        && LEFT_OUT.iter().any(|start| last.starts_with(start))
    {
        arguments.pop();
    }
    let base = plain(base);
    if base == "std::basic_string" && arguments == ["char"] {
        return "std::string".to_owned();
    }
    let arguments: Vec<_> = arguments.iter().map(|it| short_within(it, depth + 1)).collect();
    format!("{}<{}>", last_of(&base), arguments.join(", "))
}

/// The name without the namespaces before it, but for the library's.
fn last_of(path: &str) -> String {
    let last = path.rsplit("::").next().unwrap_or(path);
    if path.starts_with("std::") { format!("std::{last}") } else { last.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::call::Call;

    const STRING: &str =
        "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >";

    /// The name and the value of a block with these frames after `operator new`.
    fn said(names: &[&str]) -> Option<(String, String)> {
        let steps: Vec<_> = names
            .iter()
            .map(|name| Step {
                call: Call::of(name, false, ""),
                name,
                is_named: true,
                is_inlined: false,
            })
            .collect();
        let steps: Vec<_> = steps.iter().collect();
        read(&steps).map(|said| (said.name, said.value))
    }

    #[test]
    fn each_container_of_the_library_is_named() {
        let allocate =
            |of: &str| format!("std::__new_allocator<{of}>::allocate(unsigned long, void const*)");
        let pair = "std::pair<int const, shop::Order>";
        let text_pair = format!("std::pair<{STRING} const, int>");
        let table: Vec<(Vec<String>, &str)> = vec![
            (
                vec![
                    allocate("shop::Order"),
                    "std::allocator_traits<std::allocator<shop::Order> >::allocate(std::allocator<shop::Order>&, unsigned long)".into(),
                    "std::_Vector_base<shop::Order, std::allocator<shop::Order> >::_M_allocate(unsigned long)".into(),
                ],
                "std::vector<Order>",
            ),
            (
                // As older libraries have it, and with what the function gives back.
                vec![
                    "__gnu_cxx::new_allocator<shop::Order>::allocate(unsigned long, void const*)".into(),
                    "void std::vector<shop::Order, std::allocator<shop::Order> >::_M_realloc_insert<shop::Order>(shop::Order&&)".into(),
                ],
                "std::vector<Order>",
            ),
            (vec![allocate("unsigned long"), "std::_Bvector_base<std::allocator<bool> >::_M_allocate(unsigned long)".into()], "std::vector<bool>"),
            (vec![allocate("short"), "std::_Deque_base<short, std::allocator<short> >::_M_allocate_node()".into()], "std::deque<short>"),
            (vec![allocate("short*"), "std::_Deque_base<short, std::allocator<short> >::_M_allocate_map(unsigned long)".into()], "std::deque<short> pieces"),
            (vec![format!("{STRING}::_M_create(unsigned long&, unsigned long)")], "std::string"),
            (vec![allocate("char"), format!("{STRING}::_M_create(unsigned long&, unsigned long)")], "std::string"),
            (vec![allocate(&format!("std::_Rb_tree_node<{pair} >"))], "std::map<int, Order> node"),
            (vec![allocate("std::_Rb_tree_node<shop::Order>")], "std::set<Order> node"),
            (vec![allocate(&format!("std::__detail::_Hash_node<{text_pair}, true>"))], "std::unordered_map<std::string, int> node"),
            (vec![allocate("std::__detail::_Hash_node<int, false>")], "std::unordered_set<int> node"),
            (vec![allocate("std::__detail::_Hash_node_base*"), "std::__detail::_Hashtable_alloc<std::allocator<int> >::_M_allocate_buckets(unsigned long)".into()], "hash table buckets"),
            (vec![allocate("std::_List_node<long>")], "std::list<long> node"),
            (vec![allocate("std::_Fwd_list_node<long>")], "std::forward_list<long> node"),
            (vec![allocate("std::_Sp_counted_ptr_inplace<shop::Order, std::allocator<void>, (__gnu_cxx::_Lock_policy)2>")], "std::shared_ptr<Order>"),
            (vec!["std::__shared_count<(__gnu_cxx::_Lock_policy)2>::__shared_count<shop::Plain*>(shop::Plain*)".into()], "std::shared_ptr<Plain> counts"),
            (vec!["std::__detail::_MakeUniq<shop::Engine>::__single_object std::make_unique<shop::Engine, int&>(int&)".into()], "std::unique_ptr<Engine>"),
            (vec!["std::__detail::_MakeUniq<int[]>::__array std::make_unique<int[]>(unsigned long)".into()], "std::unique_ptr<int[]>"),
            (vec![allocate("shop::Order"), "shop::Pool::fill(int)".into()], "std::allocator<Order>"),
        ];
        for (names, expected) in &table {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            assert_eq!(said(&names).map(|said| said.0).as_deref(), Some(*expected), "{names:?}");
        }
        let met = |class: &str| {
            table.iter().any(|(names, _)| names.iter().any(|name| plain(name).contains(class)))
        };
        assert!(NODES.iter().all(|row| met(row.0)) && CONTAINERS.iter().all(|row| met(row.0)));
    }

    #[test]
    fn what_the_library_does_not_say_is_not_said() {
        for names in [
            &["main"] as &[&str],
            &["shop::fill(std::vector<int, std::allocator<int> >&)"],
            &["shop::fill()", "std::__new_allocator<int>::allocate(unsigned long, void const*)"],
            &["std::vector<int, std::allocator<int> >::reserve(unsigned long)"],
            &["shop::make_unique<int>(int)"],
            &[""],
            &["std::<<<"],
            &["std::>::allocate("],
        ] {
            assert_eq!(said(names), None, "{names:?}");
        }
        assert_eq!(said(&[]), None);
        // Deeper than anybody nests.
        let deep =
            format!("std::__new_allocator<{}>::allocate(", "a<".repeat(9_999) + &">".repeat(9_999));
        assert!(said(&[&deep]).is_some());
    }
}
