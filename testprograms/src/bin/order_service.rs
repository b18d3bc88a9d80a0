//! A small order service: reads feeds of orders, prices them, keeps them, and reports what was sold.
//!
//! `order_service [ORDERS] [WORKERS]`: how many orders are generated (60,000) and how many threads read them (4).
//! With no workers the main thread reads them all.
//!
//! It is an ordinary program with an ordinary mistake. Of what it allocates, the archive of order texts is most at
//! the peak; the stock keys that are formatted for each look-up die at once; and the price quotes, kept by customer
//! and *order*, are never found again and never given back.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::Mutex;
use std::thread;

/// An item of an order.
struct Item {
    sku: String,
    quantity: u32,
}

/// An order, as a feed brings it.
struct Order {
    id: u64,
    customer: String,
    items: Vec<Item>,
}

/// What a customer is to pay, and how that came about.
struct Quote {
    cents: u64,
    terms: String,
}

/// The quotes given so far, so that a customer who asks twice is quoted once.
static QUOTES: Mutex<BTreeMap<(String, u64), Quote>> = Mutex::new(BTreeMap::new());

/// What the warehouse has: prices by warehouse and article.
struct Stock {
    cents_by_key: HashMap<String, u64>,
}

impl Stock {
    fn new() -> Self {
        let mut cents_by_key = HashMap::new();
        for article in 0..500 {
            let warehouse = if article % 2 == 0 { "north" } else { "south" };
            cents_by_key.insert(format!("{warehouse}/A-{article:04}"), 199 + article * 7);
        }
        Self { cents_by_key }
    }

    /// The price of an article, at whichever warehouse has it.
    fn cents(&self, sku: &str) -> u64 {
        for warehouse in ["south", "north"] {
            let key = format!("{warehouse}/{sku}");
            if let Some(cents) = self.cents_by_key.get(&key) {
                return *cents;
            }
        }
        0
    }
}

/// Customers by name, with the orders of each.
#[derive(Default)]
struct Customers {
    orders_by_name: HashMap<String, Vec<u64>>,
}

impl Customers {
    fn add(&mut self, customer: &str, order: u64) {
        if let Some(orders) = self.orders_by_name.get_mut(customer) {
            orders.push(order);
        } else {
            self.orders_by_name.insert(customer.to_owned(), vec![order]);
        }
    }
}

/// The texts of all orders as they came, as the law demands.
#[derive(Default)]
struct Archive {
    text_by_order: BTreeMap<u64, Box<[u8]>>,
}

impl Archive {
    fn keep(&mut self, order: u64, line: &str) {
        self.text_by_order.insert(order, line.as_bytes().into());
    }
}

/// What the service keeps while it runs.
#[derive(Default)]
struct Books {
    customers: Customers,
    archive: Archive,
    sold_by_sku: BTreeMap<String, u64>,
    orders: u64,
    cents: u64,
}

/// A feed of made-up orders, one line each, always the same for the same range of numbers.
struct Feed {
    ids: std::ops::Range<u64>,
    state: u64,
    line: String,
}

impl Feed {
    fn new(ids: std::ops::Range<u64>) -> Self {
        let state = ids.start.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        Self { ids, state, line: String::new() }
    }

    fn next_line(&mut self) -> Option<&str> {
        let id = self.ids.next()?;
        let customer = self.random(1_000);
        self.line.clear();
        // Writing to a String does not fail.
        let _ = write!(self.line, r#"{{"id":{id},"customer":"customer-{customer}","items":["#);
        for item in 0..2 + self.random(4) {
            let comma = if item == 0 { "" } else { "," };
            let (article, quantity) = (self.random(500), 1 + self.random(9));
            let _ = write!(self.line, r#"{comma}{{"sku":"A-{article:04}","quantity":{quantity}}}"#);
        }
        self.line.push_str(r#"],"note":""#);
        for _ in 0..20 + self.random(20) {
            self.line.push_str("deliver to the door, ");
        }
        self.line.push_str("\"}");
        Some(&self.line)
    }

    /// The next number of a xorshift generator, below `below`.
    fn random(&mut self, below: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % below
    }
}

/// The text behind `"name":`, up to the next comma or closing bracket, without its quotes.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(name)?;
    let rest = rest.strip_prefix("\":")?;
    let end = rest.find([',', '}', ']'])?;
    Some(rest[..end].trim_matches('"'))
}

fn parse_order(line: &str) -> Option<Order> {
    let (head, rest) = line.split_once("\"items\":[")?;
    let (list, _) = rest.split_once(']')?;
    let mut items = Vec::new();
    for text in list.split_inclusive('}') {
        let sku = field(text, "sku")?.to_owned();
        let quantity = field(text, "quantity")?.parse().ok()?;
        items.push(Item { sku, quantity });
    }
    Some(Order {
        id: field(head, "id")?.parse().ok()?,
        customer: field(head, "customer")?.to_owned(),
        items,
    })
}

/// Prices an order, or finds the price that was quoted before.
fn quote(order: &Order, stock: &Stock) -> u64 {
    let key = (order.customer.clone(), order.id);
    if let Some(quote) = lock(&QUOTES).get(&key) {
        return quote.cents;
    }
    let cents = order.items.iter().map(|item| stock.cents(&item.sku) * u64::from(item.quantity));
    let cents = cents.sum();
    let terms = format!("{} pays {cents} cents for order {} in 30 days", order.customer, order.id);
    lock(&QUOTES).insert(key, Quote { cents, terms });
    cents
}

/// Takes in one feed.
fn read_feed(mut feed: Feed, stock: &Stock, books: &Mutex<Books>) {
    while let Some(line) = feed.next_line() {
        let Some(order) = parse_order(line) else {
            eprintln!("not an order: {line}");
            continue;
        };
        let cents = quote(&order, stock);
        let mut books = lock(books);
        books.orders += 1;
        books.cents += cents;
        books.customers.add(&order.customer, order.id);
        books.archive.keep(order.id, line);
        for item in order.items {
            *books.sold_by_sku.entry(item.sku).or_default() += u64::from(item.quantity);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().unwrap_or(0));
    let orders: u64 = arguments.next().unwrap_or(60_000);
    let workers: u64 = arguments.next().unwrap_or(4);

    let stock = Stock::new();
    let books = Mutex::new(Books::default());
    if workers == 0 {
        read_feed(Feed::new(0..orders), &stock, &books);
    } else {
        thread::scope(|scope| {
            let (stock, books) = (&stock, &books);
            for worker in 0..workers {
                let ids = worker * orders / workers..(worker + 1) * orders / workers;
                let work = move || read_feed(Feed::new(ids), stock, books);
                let thread = thread::Builder::new().name(format!("feed-{worker}"));
                thread.spawn_scoped(scope, work).expect("a thread can be started");
            }
        });
    }

    let books = books.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let archived: usize = books.archive.text_by_order.values().map(|text| text.len()).sum();
    let best = books.sold_by_sku.iter().max_by_key(|(_, sold)| **sold);
    println!(
        "{} orders of {} customers, {}.{:02} in all, {} KiB archived",
        books.orders,
        books.customers.orders_by_name.len(),
        books.cents / 100,
        books.cents % 100,
        archived / 1024,
    );
    if let Some((sku, sold)) = best {
        let terms = lock(&QUOTES).values().next().map(|quote| quote.terms.len());
        println!("most sold: {sku} ({sold} pieces); terms of {} bytes", terms.unwrap_or(0));
    }
}
