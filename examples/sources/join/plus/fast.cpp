#include <iostream>
#include <string>
using namespace std;

int main() {
    int n, step;
    cin >> n >> step;
    string joined;
    joined.reserve(16 * n);
    for (int i = 0; i < n; i++) {
        joined += i == 0 ? "item" : ",item";
        joined += to_string(i * step % n);
    }
    unsigned hash = 0;
    for (char c : joined)
        hash = 31 * hash + c;
    cout << joined.size() << " " << hash << endl;
    cout << joined.substr(0, 40) << endl;
    return 0;
}
