//! The charts: SVG without scripts, in colours that follow the reader's light or dark scheme.
//!
//! Axes are logarithmic: costs differ by factors. A bar begins at 1, the program bare, so its length is the logarithm
//! of how much slower the program gets; the figure stands at its end.

use crate::Measured;
use crate::contender::Contender;
use crate::record::thousands;
use crate::sweep::Swept;
use svg::Document;
use svg::node::element::{Circle, Line, Polyline, Rectangle, Style, Text};

/// Who is shown, in the order of bars, with a class of the style sheet.
const SHOWN: [(Contender, &str); 4] = [
    (Contender::Memscope, "memscope"),
    (Contender::Heaptrack, "heaptrack"),
    (Contender::Dhat, "dhat"),
    (Contender::JemallocEvery, "jemalloc"),
];

const STYLE: &str = "
text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.small { font-size: 11px; fill: #59636e }
.value { font-size: 11px }
.strong { font-weight: 700 }
.end { text-anchor: end } .middle { text-anchor: middle }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.memscope { fill: #0b7285; stroke: #0b7285 }
.heaptrack { fill: #e8590c; stroke: #e8590c }
.dhat { fill: #9c7fd0; stroke: #9c7fd0 }
.jemalloc { fill: #8a939c; stroke: #8a939c }
rect { stroke: none !important }
polyline { fill: none !important; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9198a1 } .grid { stroke: #3d444d }
  .memscope { fill: #3bc9db; stroke: #3bc9db } .heaptrack { fill: #ff922b; stroke: #ff922b }
  .dhat { fill: #b197fc; stroke: #b197fc } .jemalloc { fill: #9aa4af; stroke: #9aa4af }
}
";

const WIDTH: f64 = 760.0;
const FIRST_INSET: f64 = 16.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 64.0;
const TOP: f64 = 92.0;
const BAR: f64 = 13.0;
const GAP: f64 = 16.0;
const PLOT_HEIGHT: f64 = 300.0;

/// A logarithmic axis from one pixel to another.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn place(&self, value: f64) -> f64 {
        let share = (value.max(self.low) / self.low).ln() / (self.high / self.low).ln();
        self.from + share * (self.to - self.from)
    }

    /// 1, 2 and 5 times the powers of ten on the axis; the powers alone on a long one.
    fn ticks(&self) -> Vec<f64> {
        let steps: &[f64] = if self.high / self.low > 1e3 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let powers = (-3..12).map(|power| 10_f64.powi(power));
        let ticks = powers.flat_map(|power| steps.iter().map(move |step| power * step));
        ticks.filter(|tick| (self.low * 0.999..=self.high * 1.001).contains(tick)).collect()
    }
}

fn text(x: f64, y: f64, class: &str, words: impl Into<String>) -> Text {
    Text::new(words).set("x", round(x)).set("y", round(y)).set("class", class)
}

fn grid(x1: f64, y1: f64, x2: f64, y2: f64) -> Line {
    let line = Line::new().set("x1", round(x1)).set("y1", round(y1));
    line.set("x2", round(x2)).set("y2", round(y2)).set("class", "grid")
}

/// A tenth of a pixel is fine enough.
fn round(pixels: f64) -> f64 {
    (pixels * 10.0).round() / 10.0
}

fn number(value: f64) -> String {
    if value >= 1.0 { thousands(value.round() as u64) } else { value.to_string() }
}

/// An empty chart with its title and the names of those that are shown.
fn document(height: f64, title: &str, subtitle: &str, shown: &[(Contender, &str)]) -> Document {
    let mut document = Document::new()
        .set("viewBox", (0, 0, WIDTH as i64, height as i64))
        .set("width", WIDTH)
        .set("height", height)
        .set("role", "img")
        .set("aria-label", title)
        .add(Style::new(STYLE))
        .add(text(12.0, 24.0, "title", title))
        .add(text(12.0, 43.0, "small", subtitle));
    let mut x = LEFT;
    for (contender, class) in shown {
        let square = Rectangle::new().set("x", x).set("y", 56).set("width", 11).set("height", 11);
        document = document.add(square.set("rx", 2).set("class", *class)).add(text(
            x + 16.0,
            66.0,
            "value",
            contender.name(),
        ));
        x += 34.0 + 6.6 * contender.name().len() as f64;
    }
    document
}

/// The comparison: for each workload a bar for each contender.
pub(crate) fn overhead(cases: &[Measured], subtitle: &str) -> String {
    let shown: Vec<_> = SHOWN
        .into_iter()
        .filter(|(contender, _)| cases.iter().any(|case| case.standing(*contender).is_some()))
        .collect();
    let group = BAR * shown.len() as f64 + GAP;
    let bottom = TOP + group * cases.len() as f64;
    let most = cases
        .iter()
        .flat_map(|case| shown.iter().filter_map(|(who, _)| case.standing(*who)))
        .map(|standing| standing.cpu_ratio.median)
        .fold(2.0, f64::max);
    let axis = Axis { low: 1.0, high: most * 1.1, from: LEFT, to: WIDTH - RIGHT };

    let title = "CPU time as a multiple of the program’s own (less is better)";
    let mut document = document(bottom + 34.0, title, subtitle, &shown);
    for tick in axis.ticks() {
        let x = axis.place(tick);
        document = document.add(grid(x, TOP - 8.0, x, bottom - 4.0)).add(text(
            x,
            bottom + 12.0,
            "small middle",
            format!("{}×", number(tick)),
        ));
    }
    let is_shown = |who| shown.iter().any(|(contender, _)| *contender == who);
    let mut foot = String::from("logarithmic");
    if is_shown(Contender::Dhat) {
        foot += "; dhat-rs with whole stacks";
    }
    if is_shown(Contender::JemallocEvery) {
        foot += "; jemalloc’s multiple is of jemalloc without its profiler";
    }
    document = document.add(text(WIDTH - RIGHT, bottom + 28.0, "small end", foot));
    for (place, case) in cases.iter().enumerate() {
        let top = TOP + group * place as f64;
        let middle = top + BAR * shown.len() as f64 / 2.0 + 4.0;
        document = document.add(text(LEFT - 10.0, middle, "end", &case.case.name));
        for (row, (contender, class)) in shown.iter().enumerate() {
            let Some(standing) = case.standing(*contender) else { continue };
            let ratio = standing.cpu_ratio.median;
            let (y, end) = (top + BAR * row as f64, axis.place(ratio));
            let bar = Rectangle::new().set("x", LEFT).set("y", round(y));
            let bar = bar.set("width", round((end - LEFT).max(1.0))).set("height", BAR - 2.0);
            let value_class = if *class == "memscope" { "value strong" } else { "value" };
            let value =
                if ratio < 10.0 { format!("{ratio:.2}×") } else { format!("{ratio:.1}×") };
            document = document.add(bar.set("rx", 2).set("class", *class)).add(text(
                end + 5.0,
                y + BAR - 3.0,
                value_class,
                value,
            ));
        }
    }
    document.to_string() + "\n"
}

/// Places in a chart, in its own numbers.
type Points = Vec<(f64, f64)>;

/// A sweep: what an event costs against a number.
pub(crate) fn cost(swept: &Swept) -> String {
    let curves: Vec<(Contender, &str, Points)> = SHOWN
        .into_iter()
        .map(|(contender, class)| {
            let point = |(number, measured): &(u64, Measured)| {
                // Less than nothing is noise, and has no logarithm.
                Some((*number as f64, measured.standing(contender)?.added_ns.median.max(1.0)))
            };
            (contender, class, swept.points.iter().filter_map(point).collect())
        })
        .filter(|(_, _, points): &(_, _, Points)| !points.is_empty())
        .collect();
    let costs = || curves.iter().flat_map(|(_, _, points)| points.iter().map(|(_, cost)| *cost));
    let numbers = || swept.points.iter().map(|(number, _)| *number as f64);
    let bottom = TOP + PLOT_HEIGHT;
    let across = Axis {
        low: numbers().fold(f64::MAX, f64::min),
        high: numbers().fold(2.0, f64::max),
        from: LEFT,
        to: WIDTH - RIGHT,
    };
    let up = Axis {
        low: costs().fold(f64::MAX, f64::min) / 1.5,
        high: costs().fold(2.0, f64::max) * 1.5,
        from: bottom,
        to: TOP,
    };

    let shown: Vec<_> = curves.iter().map(|(contender, class, _)| (*contender, *class)).collect();
    let subtitle = "ns of CPU time added for each allocation with its free; both axes logarithmic";
    let mut document = document(bottom + 44.0, swept.title, subtitle, &shown);
    for tick in up.ticks() {
        let y = up.place(tick);
        document = document.add(grid(LEFT, y, WIDTH - RIGHT, y)).add(text(
            LEFT - 8.0,
            y + 4.0,
            "small end",
            number(tick),
        ));
    }
    for number in numbers() {
        let x = across.place(number);
        document = document.add(text(x, bottom + 18.0, "small middle", thousands(number as u64)));
    }
    let middle = (LEFT + WIDTH - RIGHT) / 2.0;
    document = document.add(text(middle, bottom + 36.0, "small middle", swept.axis));
    for (_, class, points) in &curves {
        let places: Vec<_> = points
            .iter()
            .map(|(number, cost)| (round(across.place(*number)), round(up.place(*cost)), *cost))
            .collect();
        let line: Vec<_> = places.iter().map(|(x, y, _)| format!("{x},{y}")).collect();
        document = document.add(Polyline::new().set("points", line.join(" ")).set("class", *class));
        for (x, y, cost) in places {
            let dot = Circle::new().set("cx", x).set("cy", y).set("r", 3.5);
            // The first one's would lie over the numbers of the axis.
            document = document.add(dot.set("class", *class)).add(text(
                x.max(LEFT + FIRST_INSET),
                y - 8.0,
                "value middle",
                number(cost),
            ));
        }
    }
    document.to_string() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Case;
    use crate::series::{Spread, Standing};
    use crate::supervise::Recorded;

    /// A case in which memscope takes `memscope` times the program's time and heaptrack `heaptrack` times.
    fn measured(name: &str, memscope: f64, heaptrack: f64) -> Measured {
        let just = |median| Spread { median, min: median, max: median };
        let standing = |contender: Contender, ratio: f64| Standing {
            contender,
            base: contender.base(),
            costs: Vec::new(),
            cpu_s: just(ratio),
            cpu_ratio: just(ratio),
            added_ns: just((ratio - 1.0) * 30.0),
            rss_bytes: 0,
            added_rss_bytes: 0.0,
        };
        Measured {
            case: Case::of_workload(name, "", &[]),
            recorded: Recorded {
                allocations: 1,
                sites: 1,
                peak_blocks: 1,
                attempts: 1,
                successes: 1,
            },
            standings: vec![
                standing(Contender::Bare, 1.0),
                standing(Contender::Memscope, memscope),
                standing(Contender::Heaptrack, heaptrack),
            ],
        }
    }

    /// The widths of the bars of a class.
    fn widths(chart: &str, class: &str) -> Vec<f64> {
        let bars = chart.lines().filter(|line| {
            line.starts_with("<rect") && line.contains(class) && !line.contains("width=\"11\"")
        });
        bars.map(|bar| {
            let (_, rest) = bar.split_once(" width=\"").expect("a bar has a width");
            rest.split_once('"').and_then(|(width, _)| width.parse().ok()).expect("a number")
        })
        .collect()
    }

    #[test]
    fn bars_are_as_long_as_the_logarithm() {
        let chart = overhead(&[measured("a<b", 2.0, 4.0), measured("c", 1.0, 16.0)], "today");
        let (memscope, heaptrack) = (widths(&chart, "memscope"), widths(&chart, "heaptrack"));
        assert!((heaptrack[0] - 2.0 * memscope[0]).abs() < 0.2, "{memscope:?} {heaptrack:?}");
        assert!((heaptrack[1] - 4.0 * memscope[0]).abs() < 0.3, "{memscope:?} {heaptrack:?}");
        assert_eq!(memscope[1], 1.0, "a bar of no length is still seen");
        assert!(chart.contains("a&lt;b") && chart.contains("16.0×"), "{chart}");
        assert!(!chart.contains("dhat-rs"), "who took no part is not shown");
    }

    #[test]
    fn a_curve_has_a_point_for_each_number() {
        let points = [(10, 2.0), (100, 3.0), (1000, 2.5)]
            .map(|(number, ratio)| (number, measured("a", ratio, ratio * 9.0)));
        let swept = Swept { name: "x", title: "X", axis: "x of it", points: points.into() };
        let chart = cost(&swept);
        assert_eq!(chart.matches("<circle").count(), 6);
        assert_eq!(chart.matches("<polyline").count(), 2);
        assert!(chart.contains("x of it") && chart.contains("1,000"));
    }

    #[test]
    fn an_axis_is_logarithmic_and_has_round_ticks() {
        let axis = Axis { low: 1.0, high: 100.0, from: 10.0, to: 210.0 };
        assert_eq!([1.0, 10.0, 100.0].map(|value| axis.place(value).round()), [10.0, 110.0, 210.0]);
        assert_eq!(axis.place(0.5), 10.0, "below the axis is its begin");
        assert_eq!(axis.ticks(), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
    }
}
