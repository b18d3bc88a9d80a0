// The C++ library's containers, new and delete in every form, and exceptions through frames that own blocks.
#include <cstdio>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace shop {

struct Article {
    std::string name;
    std::vector<int> prices;
};

// Over-aligned, so that the aligned forms of new and delete are used.
struct alignas(128) Lane {
    int values[32];
};

__attribute__((noinline)) std::map<std::string, Article> fill() {
    std::map<std::string, Article> articles;
    for (int i = 0; i < 300; i++) {
        std::string name = "an article with a long name, number " + std::to_string(i);
        Article article{name, {}};
        for (int price = 0; price < i % 50; price++) article.prices.push_back(price * i);
        articles.emplace(name, std::move(article));
    }
    return articles;
}

// Owns a block at each depth and throws at the last.
__attribute__((noinline)) int descend(int depth) {
    std::unique_ptr<int[]> held(new int[static_cast<unsigned>(depth) + 10]);
    held[0] = depth;
    if (depth == 0) throw std::runtime_error("at the bottom of a stack of frames that own blocks");
    return descend(depth - 1) + held[0];
}

}  // namespace shop

int main() {
    auto articles = shop::fill();
    std::size_t prices = 0;
    for (const auto& [name, article] : articles) prices += article.prices.size();

    int caught = 0;
    for (int i = 0; i < 100; i++) {
        try {
            shop::descend(i % 20);
        } catch (const std::runtime_error& error) {
            caught += error.what()[0] == 'a';
        }
    }

    auto* lanes = new shop::Lane[4];
    lanes[3].values[31] = 1;
    auto* lane = new shop::Lane;
    lane->values[0] = 2;
    int lane_sum = lanes[3].values[31] + lane->values[0];
    delete lane;
    delete[] lanes;

    // More than a vector can hold is refused before anything is allocated but the exception.
    const char* refused = "granted";
    try {
        std::vector<int>().reserve(static_cast<std::size_t>(-1));
    } catch (const std::length_error&) {
        refused = "refused";
    }

    std::printf("cpp %zu articles %zu prices %d caught %d lanes %s\n", articles.size(), prices, caught, lane_sum,
                refused);
    return 0;
}
