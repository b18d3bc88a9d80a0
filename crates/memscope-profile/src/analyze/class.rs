//! Whose code is a frame: the program's, the standard library's, the allocator's, or the runtime's that starts
//! programs and threads.
//!
//! The rules are data: [`RULES`] first, then whose source file or crate it is. The first that fits decides. They go
//! by names, and names can lie: a class is good enough to choose what to show first, and nothing is hidden by it
//! that the raw stack does not show.

use crate::model::Profile;

/// Whose code a frame is.
///
/// ```
/// use memscope_profile::Profile;
/// use memscope_profile::analyze::{Class, Classifier};
///
/// let classifier = Classifier::new(&Profile::default());
/// let of = |function| classifier.class(function, "", "");
/// assert_eq!(of("alloc::raw_vec::finish_grow"), Class::Allocator);
/// assert_eq!(of("alloc::vec::Vec<T,A>::push"), Class::Std);
/// assert_eq!(of("shop::fill"), Class::User);
/// assert_eq!(of("_start"), Class::Runtime);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// The program's own code and its dependencies', and whatever no rule knows.
    #[default]
    User,
    /// The standard libraries of Rust, C++ and C.
    Std,
    /// What starts a program or a thread, before its own code is reached.
    Runtime,
    /// What lies between a request for memory and `malloc`.
    Allocator,
}

/// How a rule's text is compared with a function's name.
enum Match {
    Exactly(&'static str),
    Start(&'static str),
    Within(&'static str),
    Around(&'static str, &'static str),
}
use Match::{Around, Exactly, Start, Within};

/// Names whose class does not follow from their crate, most specific first.
const RULES: &[(Match, Class)] = &[
    // The C allocator.
    (Exactly("malloc"), Class::Allocator),
    (Exactly("calloc"), Class::Allocator),
    (Exactly("realloc"), Class::Allocator),
    (Exactly("reallocarray"), Class::Allocator),
    (Exactly("posix_memalign"), Class::Allocator),
    (Exactly("aligned_alloc"), Class::Allocator),
    (Exactly("memalign"), Class::Allocator),
    (Exactly("valloc"), Class::Allocator),
    (Exactly("pvalloc"), Class::Allocator),
    (Exactly("free"), Class::Allocator),
    (Start("__libc_malloc"), Class::Allocator),
    (Start("__libc_calloc"), Class::Allocator),
    (Start("__libc_realloc"), Class::Allocator),
    (Start("__libc_memalign"), Class::Allocator),
    // C++.
    (Start("operator new"), Class::Allocator),
    (Start("operator delete"), Class::Allocator),
    (Start("std::allocator<"), Class::Allocator),
    (Start("std::allocator_traits<"), Class::Allocator),
    (Start("std::__new_allocator<"), Class::Allocator),
    (Start("std::__allocate_guarded"), Class::Allocator),
    (Start("__gnu_cxx::new_allocator<"), Class::Allocator),
    (Start("__gnu_cxx::__alloc_traits<"), Class::Allocator),
    // Rust.
    (Start("memscope_capture::global::"), Class::Allocator),
    (Start("<memscope_rs::allocator::"), Class::Allocator),
    (Start("memscope_rs::allocator::"), Class::Allocator),
    (Start("__rust_alloc"), Class::Allocator),
    (Start("__rust_realloc"), Class::Allocator),
    (Start("__rustc::__r"), Class::Allocator),
    (Start("__rustc["), Class::Allocator),
    (Start("__rdl_"), Class::Allocator),
    (Start("__rg_"), Class::Allocator),
    (Start("core::alloc::"), Class::Allocator),
    (Start("alloc::alloc::"), Class::Allocator),
    (Start("<alloc::alloc::"), Class::Allocator),
    (Start("alloc::raw_vec::"), Class::Allocator),
    (Start("<alloc::raw_vec::"), Class::Allocator),
    (Start("std::alloc::"), Class::Allocator),
    (Start("<std::alloc::"), Class::Allocator),
    (Start("std::sys::alloc::"), Class::Allocator),
    (Start("std::sys::pal::unix::alloc::"), Class::Allocator),
    (Start("hashbrown::raw::alloc::"), Class::Allocator),
    (Start("hashbrown::alloc::"), Class::Allocator),
    (Within(" as core::alloc::global::GlobalAlloc>::"), Class::Allocator),
    (Within(" as core::alloc::Allocator>::"), Class::Allocator),
    // The start of a program, and its end.
    (Exactly("_start"), Class::Runtime),
    (Start("__libc_start_"), Class::Runtime),
    (Exactly("__run_exit_handlers"), Class::Runtime),
    (Exactly("call_init"), Class::Runtime),
    (Exactly("_dl_init"), Class::Runtime),
    (Exactly("_dl_start_user"), Class::Runtime),
    (Start("std::rt::"), Class::Runtime),
    (Within("__rust_begin_short_backtrace"), Class::Runtime),
    (Exactly("std::sys::pal::unix::init"), Class::Runtime),
    (Start("std::sys::pal::unix::stack_overflow::"), Class::Runtime),
    // The start of a thread.
    (Exactly("clone"), Class::Runtime),
    (Exactly("__clone"), Class::Runtime),
    (Exactly("clone3"), Class::Runtime),
    (Exactly("__clone3"), Class::Runtime),
    (Exactly("start_thread"), Class::Runtime),
    (Within("Thread::new::thread_start"), Class::Runtime),
    (Within("Thread>::new::thread_start"), Class::Runtime),
    // The closures run on the new thread; the function itself runs on the one that spawns it.
    (Start("std::thread::lifecycle::spawn_unchecked::{{closure}}"), Class::Runtime),
    (Start("std::thread::Builder::spawn_unchecked_::{{closure}}"), Class::Runtime),
    (Around("std::thread::lifecycle::spawn_unchecked::<", "}"), Class::Runtime),
    (Around("<std::thread::Builder>::spawn_unchecked_::<", "}"), Class::Runtime),
    (Start("<alloc::boxed::Box<dyn core::ops::function::FnOnce<"), Class::Runtime),
    (Start("<core::panic::unwind_safe::AssertUnwindSafe<"), Class::Runtime),
    (Exactly("core::ops::function::FnOnce::call_once{{vtable.shim}}"), Class::Runtime),
    // Both catch panics.
    (Exactly("__rust_try"), Class::Runtime),
    (Start("std::panic::catch_unwind"), Class::Runtime),
    (Start("std::panicking::"), Class::Runtime),
];

/// Crates, and C++ namespaces, that are standard.
const STD_HOMES: &[&str] =
    &["core", "alloc", "std", "hashbrown", "std_detect", "proc_macro", "__gnu_cxx", "__cxxabiv1"];

/// Parts of the source paths of the Rust standard library.
const STD_FILES: &[&str] = &["lib/rustlib/src/rust/library/", "/rust/deps/"];

/// How the file names of modules begin that belong to the C and C++ runtime.
const STD_MODULES: &[&str] = &[
    "libc.so",
    "libc-2",
    "libm.so",
    "libpthread.so",
    "libdl.so",
    "librt.so",
    "libresolv.so",
    "libstdc++.so",
    "libc++.so",
    "libgcc_s.so",
    "ld-linux",
    "ld-2",
];

/// Decides the class of frames of one profile.
///
/// ```
/// use memscope_profile::Profile;
/// use memscope_profile::analyze::{Class, Classifier};
///
/// let classifier = Classifier::new(&Profile::default());
/// let stack = ["malloc", "alloc::vec::Vec<T,A>::push", "shop::fill", "_start"];
/// let own: Vec<_> = stack.into_iter().filter(|it| classifier.class(it, "", "") == Class::User).collect();
/// assert_eq!(own, ["shop::fill"]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Classifier {
    /// The program has Rust's start-up code, so its `main` without a source line is the shim that calls it.
    has_rust_start: bool,
}

impl Classifier {
    /// Looks through the profile's texts once. A comparison for each.
    ///
    /// ```
    /// use memscope_profile::Profile;
    /// use memscope_profile::analyze::{Class, Classifier};
    ///
    /// // In a program with Rust's start-up code a `main` without a source line is the shim that calls it.
    /// let rust = Profile { strings: vec!["std::rt::lang_start::<()>".into()], ..Profile::default() };
    /// assert_eq!(Classifier::new(&rust).class("main", "", ""), Class::Runtime);
    /// assert_eq!(Classifier::new(&Profile::default()).class("main", "", ""), Class::User);
    /// ```
    pub fn new(profile: &Profile) -> Self {
        let is_start = |text: &String| text.starts_with("std::rt::lang_start");
        Self { has_rust_start: profile.strings.iter().any(is_start) }
    }

    /// The class of a frame by its function's name, its source file and its module's path, each of which may be
    /// empty. Compares the name with each rule, about 0.3 µs; never fails.
    ///
    /// ```
    /// use memscope_profile::Profile;
    /// use memscope_profile::analyze::{Class, Classifier};
    ///
    /// let classifier = Classifier::new(&Profile::default());
    /// assert_eq!(classifier.class("strdup", "", "/lib/x86_64-linux-gnu/libc.so.6"), Class::Std);
    /// assert_eq!(classifier.class("strdup", "src/shop.c", "/bin/shop"), Class::User);
    /// ```
    pub fn class(&self, function: &str, file: &str, module_path: &str) -> Class {
        if function == "main" && file.is_empty() && self.has_rust_start {
            return Class::Runtime;
        }
        let path = path_of(function);
        let fits = |rule: &Match| match rule {
            Exactly(text) => function == *text || path == *text,
            Start(text) => function.starts_with(text) || path.starts_with(text),
            Within(text) => function.contains(text),
            Around(start, end) => function.starts_with(start) && function.ends_with(end),
        };
        if let Some((_, class)) = RULES.iter().find(|(rule, _)| fits(rule)) {
            return *class;
        }
        if is_recording_allocator(file) {
            return Class::Allocator;
        }
        let file_name = module_path.rsplit('/').next().unwrap_or(module_path);
        let is_std = is_std_file(file)
            || is_std_path(path)
            || STD_MODULES.iter().any(|start| file_name.starts_with(start));
        if is_std { Class::Std } else { Class::User }
    }
}

/// Whether the file holds the methods of our own global allocator. By name they are known only where the debug
/// information has the paths of inlined functions.
fn is_recording_allocator(file: &str) -> bool {
    file.contains("memscope-capture") && file.ends_with("/src/global.rs")
        || file.contains("memscope-rs") && file.ends_with("/src/allocator.rs")
}

fn is_std_file(file: &str) -> bool {
    file.starts_with("/rustc/") && file.contains("/library/")
        || STD_FILES.iter().any(|part| file.contains(part))
}

/// A name without what C++ puts around it: the type returned, the arguments. Rust names have neither.
fn path_of(name: &str) -> &str {
    let mut depth = 0_usize;
    let mut start = 0;
    let mut previous = b' ';
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'<' | b'[' | b'{' => depth += 1,
            b'>' if previous != b'-' => depth = depth.saturating_sub(1),
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'(' if depth == 0 && at > start => return &name[start..at],
            b' ' if depth == 0 => start = at + 1,
            _ => {}
        }
        previous = byte;
    }
    &name[start..]
}

/// Whether the code with this path stands in a standard crate. An impl lies in the crate of its type or of its
/// trait, so it is standard only if both are.
fn is_std_path(path: &str) -> bool {
    let Some(inner) = path.strip_prefix('<') else {
        return home(path).is_some_and(is_std_home);
    };
    let (own, implemented) = split_impl(inner);
    let is_std = |part: &str| home(part).is_none_or(is_std_home);
    // A bare `<T>::method` of a name without a crate says nothing.
    let says_something =
        implemented.is_some() || own.starts_with(['[', '&', '*']) || own.contains("::");
    says_something && is_std(own) && implemented.is_none_or(is_std)
}

fn is_std_home(home: &str) -> bool {
    STD_HOMES.contains(&home)
}

/// Splits what follows the `<` of `<Type as Trait>::method` or `<Type>::method` into type and trait.
fn split_impl(inner: &str) -> (&str, Option<&str>) {
    let mut depth = 0_usize;
    let mut previous = b' ';
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            b'<' | b'[' | b'(' => depth += 1,
            b'>' if previous == b'-' => {}
            b'>' if depth == 0 => return (&inner[..at], None),
            b'>' | b']' | b')' => depth = depth.saturating_sub(1),
            b' ' if depth == 0 && inner[at..].starts_with(" as ") => {
                return (&inner[..at], Some(&inner[at + 4..]));
            }
            _ => {}
        }
        previous = byte;
    }
    (inner, None)
}

/// The first segment of a path; `None` for a type that belongs to no crate: a primitive, a reference, a slice.
fn home(path: &str) -> Option<&str> {
    let path = path.strip_prefix("dyn ").unwrap_or(path);
    let end = path.find(|c: char| !(c.is_alphanumeric() || c == '_'))?;
    (end > 0 && path[end..].starts_with("::")).then(|| &path[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(function: &str) -> Class {
        Classifier { has_rust_start: true }.class(function, "", "/usr/bin/shop")
    }

    #[test]
    fn by_name() {
        for (wanted, names) in [
            (
                Class::Allocator,
                &[
                    "malloc",
                    "__rustc::__rust_alloc",
                    "__rustc[9ac2ed51d31a94bb]::__rdl_alloc",
                    "alloc::alloc::alloc",
                    "alloc::raw_vec::RawVec<T,A>::grow_one",
                    "<alloc::raw_vec::RawVec<u8>>::grow_one",
                    "alloc::raw_vec::finish_grow",
                    "<alloc::alloc::Global as core::alloc::Allocator>::allocate",
                    "<shop::Counting as core::alloc::global::GlobalAlloc>::alloc",
                    "operator new(unsigned long)",
                    "operator new[](unsigned long, std::align_val_t)",
                    "std::__new_allocator<int>::allocate(unsigned long, void const*)",
                ][..],
            ),
            (
                Class::Std,
                &[
                    "alloc::vec::Vec<T,A>::push",
                    "<alloc::vec::Vec<shop::Order> as core::clone::Clone>::clone",
                    "<T as alloc::slice::<impl [T]>::to_vec_in::ConvertVec>::to_vec",
                    "<[shop::Order] as alloc::borrow::ToOwned>::to_owned",
                    "<str as alloc::string::ToString>::to_string",
                    "<[shop::Order]>::to_vec",
                    "<hashbrown::raw::RawTable<(u32, t::Big)>>::clone_from_impl",
                    "core::ops::function::FnOnce::call_once",
                    "void std::vector<int, std::allocator<int> >::_M_realloc_insert<int>(int&&)",
                    "std::string::append(char const*)",
                    "std::thread::lifecycle::spawn_unchecked::<shop::f::{closure_env#0}, ()>",
                ],
            ),
            (
                Class::Runtime,
                &[
                    "main",
                    "_start",
                    "__libc_start_call_main",
                    "__libc_start_main_impl",
                    "clone3",
                    "start_thread",
                    "std::rt::lang_start::<()>::{closure#0}",
                    "std::sys::backtrace::__rust_begin_short_backtrace::<fn(), ()>",
                    "<std::sys::thread::unix::Thread>::new::thread_start",
                    "std::thread::lifecycle::spawn_unchecked::{{closure}}::{{closure}}",
                    "std::thread::lifecycle::spawn_unchecked::<shop::f::{closure#0}, ()>::{closure#1}",
                    "core::ops::function::FnOnce::call_once{{vtable.shim}}",
                    "<core::panic::unwind_safe::AssertUnwindSafe<F> as core::ops::function::FnOnce<()>>::call_once",
                ],
            ),
            (
                Class::User,
                &[
                    "",
                    "shop::main",
                    "shop::main::{{closure}}",
                    "<shop::Order as core::clone::Clone>::clone",
                    "<alloc::vec::Vec<u8> as shop::Pack>::pack",
                    "<shop::Order>::new",
                    "<T>::new",
                    "std_shop::work",
                    "core_main",
                    "allocate_orders",
                    "Order::Order(std::string const&)",
                    "std::vector<int> make_numbers<int>(int)",
                    "(anonymous namespace)::fill(int)",
                    "malloc_trim_user",
                    "<<<",
                    "->(",
                ],
            ),
        ] {
            for name in names {
                assert_eq!(class(name), wanted, "{name}");
            }
        }
    }

    #[test]
    fn by_file_module_and_start_code() {
        let rust = Classifier { has_rust_start: true };
        let c = Classifier { has_rust_start: false };
        assert_eq!(c.class("main", "", "/bin/prog"), Class::User);
        assert_eq!(rust.class("main", "main.c", "/bin/prog"), Class::User);
        assert_eq!(c.class("strdup", "", "/lib/x86_64-linux-gnu/libc.so.6"), Class::Std);
        assert_eq!(c.class("malloc", "", "/lib/x86_64-linux-gnu/libc.so.6"), Class::Allocator);
        let push = "push<u8, alloc::alloc::Global>";
        let file = "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/alloc/src/vec/mod.rs";
        assert_eq!(c.class(push, file, ""), Class::Std);
        assert_eq!(c.class(push, "/home/me/rustc/library.rs", ""), Class::User);
        // As line tables alone name it, in a checkout and from a registry.
        for folder in ["crates/memscope-capture", "/home/me/registry/memscope-capture-0.1.0"] {
            let file = format!("{folder}/src/global.rs");
            assert_eq!(c.class("alloc<std::alloc::System>", &file, ""), Class::Allocator);
        }
        assert_eq!(c.class("alloc<std::alloc::System>", "mine/src/global.rs", ""), Class::User);
    }
}
