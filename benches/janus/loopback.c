/* Loaded before Janus: loopback interfaces look like any other, so that it gathers candidates on them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <ifaddrs.h>
#include <net/if.h>

int getifaddrs(struct ifaddrs **list) {
    int (*real)(struct ifaddrs **) = (int (*)(struct ifaddrs **))dlsym(RTLD_NEXT, "getifaddrs");
    int result = real(list);
    for (struct ifaddrs *each = result == 0 ? *list : 0; each; each = each->ifa_next)
        each->ifa_flags &= ~(unsigned)IFF_LOOPBACK;
    return result;
}
