// Exceptions through several frames, containers, virtual calls.
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>
#include <cstdio>

struct shape {
    virtual ~shape() = default;
    virtual double area() const = 0;
};
struct square : shape {
    double side;
    explicit square(double s) : side(s) {}
    double area() const override { return side * side; }
};
struct circle : shape {
    double radius;
    explicit circle(double r) : radius(r) {}
    double area() const override { return 3.14159 * radius * radius; }
};

static int descend(int depth)
{
    std::string local(static_cast<std::size_t>(depth) + 20, 'x');
    if (depth == 0)
        throw std::out_of_range(local);
    return descend(depth - 1) + static_cast<int>(local.size());
}

int main()
{
    std::map<std::string, int> counts;
    std::vector<std::unique_ptr<shape>> shapes;
    double total = 0;
    for (int i = 0; i < 30; i++) {
        try {
            descend(i % 5);
        } catch (const std::exception &e) {
            counts[e.what()]++;
        }
        if (i % 2)
            shapes.emplace_back(new square(i));
        else
            shapes.emplace_back(new circle(i));
    }
    for (const auto &s : shapes)
        total += s->area();
    std::printf("%zu %d %.2f\n", counts.size(), counts.begin()->second, total);
    return 0;
}
