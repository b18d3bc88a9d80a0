// Says of its own blocks which types they are of, as the program types_dev does (see testprograms/labels).
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <forward_list>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace shop {

struct Order {
    std::int32_t number;
    double price;
    char note[40];
};

struct Engine {
    long parts[9];
    explicit Engine(int count) { parts[0] = count; }
    virtual ~Engine() = default;
};

}  // namespace shop

using shop::Engine;
using shop::Order;

static void label_at(int line, const char* place, const void* block, const char* expected) {
    std::printf("label %s %p %d %s\n", place, block, line, expected);
}
#define AT(block, expected) label_at(__LINE__, "at", block, expected)
#define INSIDE(block, expected) label_at(__LINE__, "inside", block, expected)

// Never freed: what was labelled is alive when the test looks.
template <typename T>
T& kept() {
    return *std::make_unique<T>().release();
}

__attribute__((noinline)) static void sequences(int count) {
    auto& orders = kept<std::vector<Order>>();
    AT(&orders, "std::unique_ptr<std::vector<Order>>");
    for (int i = 0; i < count; i++) orders.push_back(Order{i, 1.0, ""});
    AT(orders.data(), "std::vector<Order>");
    auto& sized = kept<std::vector<std::uint64_t>>();
    sized.resize(static_cast<std::size_t>(count) * 3);
    AT(sized.data(), "std::vector<unsigned long>");
    auto& nested = kept<std::vector<std::vector<std::string>>>();
    nested.resize(static_cast<std::size_t>(count));
    AT(nested.data(), "std::vector<std::vector<std::string>>");
    auto& flags = kept<std::vector<bool>>();
    flags.resize(static_cast<std::size_t>(count) * 1000, true);
    auto& queue = kept<std::deque<short>>();
    queue.push_back(static_cast<short>(count));
    AT(&queue.front(), "std::deque<short>");
    auto& list = kept<std::list<long>>();
    list.push_back(count);
    AT(reinterpret_cast<const char*>(&list.front()) - 16, "std::list<long> node");
    auto& chain = kept<std::forward_list<Order>>();
    chain.push_front(Order{count, 2.0, ""});
    INSIDE(&chain.front(), "std::forward_list<Order> node");
}

__attribute__((noinline)) static void texts(int count) {
    auto& text = kept<std::string>();
    for (int i = 0; i < count * 10; i++) text += static_cast<char>('a' + i % 26);
    AT(text.data(), "std::string");
    auto& copied = kept<std::string>();
    copied = text + " and more of it";
    AT(copied.data(), "std::string");
    auto& wide = kept<std::u32string>();
    wide.assign(static_cast<std::size_t>(count) * 5, U'x');
    AT(wide.data(), "std::basic_string<char32_t>");
}

__attribute__((noinline)) static void maps(int count) {
    auto& map = kept<std::map<int, Order>>();
    for (int i = 0; i < count; i++) map[i] = Order{i, 3.0, ""};
    for (auto& entry : map) INSIDE(&entry, "std::map<int, Order> node");
    auto& set = kept<std::set<std::string>>();
    set.insert("short");
    INSIDE(&*set.begin(), "std::set<std::string> node");
    auto& table = kept<std::unordered_map<std::uint64_t, Order>>();
    for (int i = 0; i < count; i++) table[static_cast<std::uint64_t>(i)] = Order{i, 4.0, ""};
    for (auto& entry : table) INSIDE(&entry, "std::unordered_map<unsigned long, Order> node");
    auto& names = kept<std::unordered_set<std::uint32_t>>();
    names.insert(static_cast<std::uint32_t>(count));
    AT(reinterpret_cast<const char*>(&*names.begin()) - 8, "std::unordered_set<unsigned int> node");
}

__attribute__((noinline)) static void pointers(int count) {
    auto* engine = std::make_unique<Engine>(count).release();
    AT(engine, "std::unique_ptr<Engine>");
    auto* numbers = std::make_unique<int[]>(static_cast<std::size_t>(count)).release();
    AT(numbers, "std::unique_ptr<int[]>");
    auto& shared = kept<std::shared_ptr<Order>>();
    shared = std::make_shared<Order>();
    AT(reinterpret_cast<const char*>(shared.get()) - 16, "std::shared_ptr<Order>");
}

// Debug information has no type for these; the function is all that is known.
__attribute__((noinline)) static void bare(int count) {
    AT((new Order{count, 5.0, ""}), "new Order");
    AT(new Engine(count), "new Engine");
    AT(std::malloc(static_cast<std::size_t>(count) * 8), "malloc");
}

int main(int argc, char**) {
    int count = argc * 12;
    sequences(count);
    texts(count);
    maps(count);
    pointers(count);
    bare(count);
    std::fflush(stdout);
    std::_Exit(0);
}
