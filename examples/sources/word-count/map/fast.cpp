#include <iostream>
#include <string>
#include <unordered_map>
using namespace std;

int main() {
    ios::sync_with_stdio(false);
    cin.tie(nullptr);
    int n;
    cin >> n;
    unordered_map<string, int> counts(2 * n);
    string word;
    for (int i = 0; i < n; i++) {
        cin >> word;
        counts[word]++;
    }
    const string *most = nullptr;
    int most_count = 0;
    for (const auto &entry : counts) {
        if (entry.second > most_count || (entry.second == most_count && entry.first < *most)) {
            most = &entry.first;
            most_count = entry.second;
        }
    }
    cout << counts.size() << '\n' << *most << ' ' << most_count << '\n';
    return 0;
}
