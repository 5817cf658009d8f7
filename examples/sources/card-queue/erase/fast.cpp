#include <iostream>
#include <vector>
using namespace std;

// The pile is pile[head..]: taking a card off the top only moves head.
int main() {
    int n;
    cin >> n;
    vector<int> pile;
    pile.reserve(2 * n);
    for (int card = 1; card <= n; card++)
        pile.push_back(card);
    long long total = 0, place = 1;
    size_t head = 0;
    while (pile.size() - head > 1) {
        total += place++ * pile[head];
        pile.push_back(pile[head + 1]);
        head += 2;
    }
    cout << pile[head] << " " << total << endl;
    return 0;
}
