# Turns the error table into one C file.  Called as cmake -DIN=errors.table -DOUT=x.c -P embed.cmake
file(READ "${IN}" hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," octets "${hex}")
file(WRITE "${OUT}" "/* Generated from contrib/cfg/errors.table: do not edit. */
#include \"errtab_int.h\"

const char errtab_built_in[] = {${octets}0};
const size_t errtab_built_in_len = sizeof(errtab_built_in) - 1;
")
