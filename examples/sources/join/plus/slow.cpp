#include <iostream>
#include <string>
using namespace std;

int main() {
    int n, step;
    cin >> n >> step;
    string joined = "";
    for (int i = 0; i < n; i++) {
        string item = "item" + to_string(i * step % n);
        if (i == 0)
            joined = item;
        else
            joined = joined + "," + item;
    }
    unsigned hash = 0;
    for (char c : joined)
        hash = 31 * hash + c;
    cout << joined.size() << " " << hash << endl;
    cout << joined.substr(0, 40) << endl;
    return 0;
}
