// `new` of the program's own, each block labelled as in types.cpp. `new.s` is this file as clang 22 compiles it,
// which says at each call what it allocates:
//
//     clang++ -O2 -gdwarf-5 -fno-exceptions -fno-addrsig -fno-ident -fPIC -fomit-frame-pointer -fno-verbose-asm -S new.cpp
//
// (22.1.8, and comments taken out).
//
// No header is included, so that the file in assembly stays readable.
extern "C" int printf(const char*, ...);
extern "C" int fflush(void*);
extern "C" void* malloc(unsigned long);
extern "C" void _exit(int);

namespace shop {

struct Order {
    int number;
    double price;
    char note[40];
};

struct Engine {
    long parts[9];
    explicit Engine(int count = 1) { parts[0] = count; }
    virtual ~Engine() = default;
};

// As large as what it is derived from: no size tells them apart.
struct Diesel : Engine {
    explicit Diesel(int count) : Engine(count) {}
};

template <class T>
struct Pair {
    T one, two;
};

using Number = long;

}  // namespace shop

#define AT(block, expected) printf("label %s %p %d %s\n", "at", static_cast<void*>(block), __LINE__, expected)

__attribute__((noinline)) static void values(int count) {
    AT((new shop::Order{count, 5.0, ""}), "Order");
    AT(new shop::Engine(count), "Engine");
    // Its argument is made after the block and before what is in it.
    AT(new shop::Engine(*new int(count)), "Engine");
    AT(new shop::Diesel(count), "Diesel");
    AT((new shop::Pair<long>{count, 2}), "Pair<long>");
    AT(new shop::Number(count), "Number");
}

__attribute__((noinline)) static void arrays(int count) {
    AT(new int[100](), "int[]");
    AT(new shop::Order[7](), "Order[]");
    AT(new shop::Engine*[count](), "Engine*[]");
}

__attribute__((noinline)) static void untyped(int count) {
    // Before the values stands their number, as each has to be destroyed: the sizes do not fit.
    AT(reinterpret_cast<char*>(new shop::Engine[2]) - 8, "Engine[]");
    AT(malloc(static_cast<unsigned long>(count) * 8), "malloc");
    AT(operator new(sizeof(shop::Order)), "operator new");
}

int main(int argc, char**) {
    values(argc);
    arrays(argc);
    untyped(argc);
    fflush(nullptr);
    _exit(0);
}
