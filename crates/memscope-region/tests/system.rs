//! What the kernel is asked for, against what it says elsewhere.

use memscope_region::sys::{self, HUGE_PAGE_BYTES, PAGE_BYTES};

/// The mappings as the kernel lists them.
fn mappings() -> Vec<(usize, usize)> {
    let number = |text: &str| usize::from_str_radix(text, 16).expect("a number");
    let text = std::fs::read_to_string("/proc/self/maps").expect("the list");
    text.lines()
        .map(|line| {
            let (low, rest) = line.split_once('-').expect("an address");
            (number(low), number(rest.split_once(' ').expect("an address").0))
        })
        .collect()
}

#[test]
fn the_mapping_of_an_address_is_the_one_that_the_kernel_lists() {
    static STATIC: u32 = 7;
    let on_stack = 7_u32;
    let place = sys::map_private(3 * PAGE_BYTES).expect("memory");
    let addresses = [
        &raw const STATIC as usize,
        &raw const on_stack as usize,
        place as usize,
        place as usize + 3 * PAGE_BYTES - 1,
        the_mapping_of_an_address_is_the_one_that_the_kernel_lists as fn() as usize,
    ];
    for address in addresses {
        let (low, high) = sys::mapping_of(address).expect("it is mapped");
        assert!((low..high).contains(&address));
        assert!(mappings().contains(&(low, high)), "{low:x}-{high:x} is not in the list");
    }
}

#[test]
fn a_mapping_that_is_not_like_a_stack_is_told_from_one_that_is() {
    let on_stack = 7_u32;
    let own = &raw const on_stack as usize;
    assert_eq!(sys::writable_mapping_of(own), sys::mapping_of(own));
    let code = a_mapping_that_is_not_like_a_stack_is_told_from_one_that_is as fn() as usize;
    assert!(sys::mapping_of(code).is_some());
    assert_eq!(sys::writable_mapping_of(code), None);

    let file = sys::memory_file(c"shared", PAGE_BYTES as u64).expect("a file");
    let shared = sys::map_file(file, 0, PAGE_BYTES).expect("a mapping") as usize;
    sys::close(file);
    assert!(sys::mapping_of(shared).is_some());
    assert_eq!(sys::writable_mapping_of(shared), None);
}

#[test]
fn an_address_that_is_not_mapped_has_no_mapping() {
    // SAFETY: nobody uses the page between two that stay, nor the page at the very end.
    let hole = unsafe {
        let place = sys::map_private(3 * PAGE_BYTES).expect("memory");
        sys::unmap(place.wrapping_add(PAGE_BYTES), PAGE_BYTES);
        place as usize + PAGE_BYTES
    };
    assert_eq!(sys::mapping_of(hole), None);
    assert_eq!(sys::mapping_of(0), None);
    assert_eq!(sys::mapping_of(usize::MAX), None);
    assert!(sys::mapping_of(hole - 1).is_some_and(|(_, high)| high == hole));
}

#[test]
fn memory_is_zeroed_aligned_and_as_long_as_asked_for() {
    let place = sys::map_private_huge(HUGE_PAGE_BYTES).expect("memory");
    assert_eq!(place as usize % HUGE_PAGE_BYTES, 0);
    // SAFETY: that many bytes were just mapped.
    let bytes = unsafe { std::slice::from_raw_parts_mut(place, HUGE_PAGE_BYTES) };
    assert!(bytes.iter().all(|byte| *byte == 0));
    bytes.fill(1);
    // SAFETY: nobody uses them any more.
    unsafe { sys::unmap(place, HUGE_PAGE_BYTES) };
}

#[test]
fn who_we_are_is_what_the_standard_library_says() {
    assert_eq!(sys::pid(), std::process::id());
    let theirs = std::thread::Builder::new().name("a long name, far too long".to_owned());
    let spawned = theirs.spawn(|| {
        let mut name = [0; 16];
        sys::thread_name(&mut name);
        (sys::tid(), name)
    });
    let (tid, name) = spawned.expect("a thread").join().expect("no panic");
    assert_eq!(&name, b"a long name, fa\0");
    assert_ne!(tid, sys::tid());
}

#[test]
fn a_memory_file_is_as_long_as_asked_for_and_holds_what_is_mapped() {
    let fd = sys::memory_file(c"file", 1 << 30).expect("a memory file");
    let place = sys::map_file(fd, 0, 2 * PAGE_BYTES).expect("memory");
    sys::close(fd);
    // SAFETY: the second page is a live shared mapping.
    let again = unsafe { sys::map_from_seed(place.wrapping_add(PAGE_BYTES), 5 * PAGE_BYTES) };
    let again = again.expect("memory");
    // SAFETY: both are mapped, and show the same page of the file.
    unsafe {
        place.wrapping_add(PAGE_BYTES + 8).write(42);
        assert_eq!(again.wrapping_add(8).read_volatile(), 42);
        again.wrapping_add(4 * PAGE_BYTES).write(1);
    }
    assert_eq!(sys::open(c"/no/such/file"), Err(libc::ENOENT));
    assert_eq!(sys::connect_abstract(b"nobody listens here").err(), Some(libc::ECONNREFUSED));
    assert_eq!(sys::connect_abstract(&[b'x'; 108]).err(), Some(libc::ENAMETOOLONG));
}
