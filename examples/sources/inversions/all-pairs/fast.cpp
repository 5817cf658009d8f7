#include <cstdio>
#include <vector>

// Sorts values[begin..end) and returns its inversions: while merging, each element taken from the
// right half jumps over all that are left in the left half.
static long long sort_count(std::vector<int> &values, std::vector<int> &merged, int begin, int end) {
    if (end - begin < 2)
        return 0;
    const int middle = begin + (end - begin) / 2;
    long long count = sort_count(values, merged, begin, middle) + sort_count(values, merged, middle, end);
    int left = begin, right = middle;
    for (int k = begin; k < end; k++) {
        if (right == end || (left < middle && values[left] <= values[right])) {
            merged[k] = values[left++];
        } else {
            merged[k] = values[right++];
            count += middle - left;
        }
    }
    for (int k = begin; k < end; k++)
        values[k] = merged[k];
    return count;
}

int main() {
    int n;
    if (scanf("%d", &n) != 1)
        return 1;
    std::vector<int> values(n), merged(n);
    for (int &value : values)
        if (scanf("%d", &value) != 1)
            return 1;
    printf("%lld\n", sort_count(values, merged, 0, n));
    return 0;
}
