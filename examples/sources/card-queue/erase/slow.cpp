#include <iostream>
#include <vector>
using namespace std;

int main() {
    int n;
    cin >> n;
    vector<int> pile;
    for (int card = 1; card <= n; card++)
        pile.push_back(card);
    long long total = 0, place = 1;
    while (pile.size() > 1) {
        total += place++ * pile.front();
        pile.erase(pile.begin());
        pile.push_back(pile.front());
        pile.erase(pile.begin());
    }
    cout << pile.front() << " " << total << endl;
    return 0;
}
