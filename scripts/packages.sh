# Sourced by the other scripts: the Debian packages that pie needs, and their installation.

pie_packages=(build-essential cmake ninja-build pkg-config qemu-user libconfig-dev libjansson-dev
              libseccomp-dev libssl-dev libxxhash-dev libzydis-dev libzycore-dev)
pie_test_packages=(libcmocka-dev clang valgrind jq xxd python3)
pie_full_packages=(clang-format clang-tidy libclang-rt-14-dev)

# need_packages INSTALL PACKAGE...: print what is missing; install it when INSTALL is yes.
need_packages()
{
    local install=$1 package missing=()
    shift
    for package in "$@"; do
        dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
            missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    echo "missing packages: ${missing[*]}"
    if [ "$install" != yes ]; then
        echo "install them with: apt-get install ${missing[*]}"
        return 4
    fi
    local sudo=()
    [ "$(id -u)" -eq 0 ] || sudo=(sudo)
    "${sudo[@]}" apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
}
