#include <iostream>
#include <map>
#include <string>
using namespace std;

int main() {
    int n;
    cin >> n;
    map<string, int> counts;
    for (int i = 0; i < n; i++) {
        string word;
        cin >> word;
        if (counts.count(word) == 0)
            counts[word] = 0;
        counts[word] = counts[word] + 1;
    }
    string most;
    for (auto entry : counts)
        if (most.empty() || entry.second > counts[most])
            most = entry.first;
    cout << counts.size() << endl;
    cout << most << " " << counts[most] << endl;
    return 0;
}
