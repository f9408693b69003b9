// SPDX-License-Identifier: Apache-2.0
// Hostile requests, each with the only verdict it may get. "0" means: taken, and as exactly one
// request.

#include <iterator>

#include <doctest/doctest.h>

#include "tests/unit/http/codec_fixture.h"

using limpet::CodecRole;
using limpet::Fault;
using limpet::test::Reader;

namespace {

using namespace std::string_view_literals;

struct Case {
  const char* what;
  std::string_view bytes;
  int status;  // 0: one whole request
};

#define GET(rest) "GET / HTTP/1.1\r\nHost: a\r\n" rest "\r\n\r\n"sv
#define POST(fields, body) "POST / HTTP/1.1\r\nHost: a\r\n" fields "\r\n\r\n" body ""sv
#define CHUNKED(body) "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" body ""sv

constexpr Case kFraming[] = {
    {"both lengths", POST("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400},
    {"both lengths, the other order",
     POST("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"), 400},
    {"both lengths, length 0", POST("Transfer-Encoding: chunked\r\nContent-Length: 0", "0\r\n\r\n"),
     400},
    {"both lengths, unknown coding", POST("Content-Length: 5\r\nTransfer-Encoding: x", "hello"),
     400},
    {"both lengths in odd case",
     POST("cOnTeNt-LeNgTh: 5\r\ntRANSFER-eNCODING: chunked", "0\r\n\r\n"), 400},
    {"two lengths that differ", POST("Content-Length: 5\r\nContent-Length: 6", "hello"), 400},
    {"two equal lengths", POST("Content-Length: 5\r\nContent-Length: 5", "hello"), 400},
    {"empty length first", POST("Content-Length: \r\nContent-Length: 5", "hello"), 400},
    {"empty length", POST("Content-Length:", ""), 400},
    {"list of lengths", POST("Content-Length: 5, 5", "hello"), 400},
    {"list of lengths that differ", POST("Content-Length: 5,0", "hello"), 400},
    {"plus", POST("Content-Length: +5", "hello"), 400},
    {"minus", POST("Content-Length: -5", "hello"), 400},
    {"minus nothing", POST("Content-Length: -0", ""), 400},
    {"hexadecimal", POST("Content-Length: 0x5", "hello"), 400},
    {"hexadecimal digit", POST("Content-Length: a", "hello"), 400},
    {"underscore", POST("Content-Length: 1_0", "hellohello"), 400},
    {"fraction", POST("Content-Length: 5.0", "hello"), 400},
    {"exponent", POST("Content-Length: 1e1", "hellohello"), 400},
    {"space inside", POST("Content-Length: 5 5", "hello"), 400},
    {"comma behind", POST("Content-Length: 5,", "hello"), 400},
    {"semicolon", POST("Content-Length: 5;a", "hello"), 400},
    {"quoted", POST("Content-Length: \"5\"", "hello"), 400},
    {"arabic digit", POST("Content-Length: \xd9\xa5", "hello"), 400},
    {"64-bit overflow", POST("Content-Length: 18446744073709551616", ""), 400},
    {"64-bit overflow to 5", POST("Content-Length: 18446744073709551621", "hello"), 400},
    {"63-bit overflow", POST("Content-Length: 9223372036854775808", ""), 400},
    {"very long number", POST("Content-Length: 99999999999999999999999999999999999999", ""), 400},
    {"leading zeros", POST("Content-Length: 0005", "hello"), 0},
    {"tab around the length", POST("Content-Length:\t5\t", "hello"), 0},
    {"length", POST("Content-Length: 5", "hello"), 0},
    {"length with NUL", POST("Content-Length: 5\0", "hello"), 400},
    {"length with VT",
     POST("Content-Length: \x0b"
          "5",
          "hello"),
     400},
    {"length with FF",
     POST("Content-Length: \x0c"
          "5",
          "hello"),
     400},
    {"name with space before the colon", POST("Content-Length : 5", "hello"), 400},
    {"name with tab before the colon", POST("Content-Length\t: 5", "hello"), 400},
    {"space before the name", POST("X: y\r\n Content-Length: 5", "hello"), 400},
    {"first field line begins with space",
     "POST / HTTP/1.1\r\n Content-Length: 5\r\nHost: a\r\n\r\nhello"sv, 400},
    {"length folded", POST("Content-Length:\r\n 5", "hello"), 400},
    {"name with underscore is another name", POST("Content_Length: 7", ""), 0},
    {"HTTP/1.0 with both lengths",
     "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"sv,
     400},
    {"HTTP/1.0 with chunked",
     "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"sv, 400},
};

constexpr Case kCodings[] = {
    {"chunked", POST("Transfer-Encoding: chunked", "0\r\n\r\n"), 0},
    {"chunked in capitals", POST("Transfer-Encoding: CHUNKED", "0\r\n\r\n"), 0},
    {"chunked without space", POST("Transfer-Encoding:chunked", "0\r\n\r\n"), 0},
    {"chunked between tabs", POST("Transfer-Encoding:\tchunked\t", "0\r\n\r\n"), 0},
    {"xchunked", POST("Transfer-Encoding: xchunked", "0\r\n\r\n"), 400},
    {"chunkedx", POST("Transfer-Encoding: chunkedx", "0\r\n\r\n"), 400},
    {"chunke", POST("Transfer-Encoding: chunke", "0\r\n\r\n"), 400},
    {"identity", POST("Transfer-Encoding: identity", ""), 400},
    {"identity, chunked", POST("Transfer-Encoding: identity, chunked", "0\r\n\r\n"), 501},
    {"gzip, chunked", POST("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"), 501},
    {"gzip", POST("Transfer-Encoding: gzip", ""), 400},
    {"chunked, identity", POST("Transfer-Encoding: chunked, identity", "0\r\n\r\n"), 400},
    {"chunked, gzip", POST("Transfer-Encoding: chunked, gzip", "0\r\n\r\n"), 400},
    {"chunked, chunked", POST("Transfer-Encoding: chunked, chunked", "0\r\n\r\n"), 400},
    {"chunked, gzip, chunked", POST("Transfer-Encoding: chunked, gzip, chunked", "0\r\n\r\n"), 400},
    {"two fields", POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
     400},
    {"two fields, the second another",
     POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: x", "0\r\n\r\n"), 400},
    {"two fields, the first another",
     POST("Transfer-Encoding: x\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400},
    {"empty", POST("Transfer-Encoding:", ""), 400},
    {"only a comma", POST("Transfer-Encoding: ,", ""), 400},
    {"comma behind", POST("Transfer-Encoding: chunked,", "0\r\n\r\n"), 400},
    {"comma before", POST("Transfer-Encoding: ,chunked", "0\r\n\r\n"), 400},
    {"comma and space behind", POST("Transfer-Encoding: chunked, ", "0\r\n\r\n"), 400},
    {"parameter", POST("Transfer-Encoding: chunked;q=1", "0\r\n\r\n"), 400},
    {"semicolon", POST("Transfer-Encoding: chunked;", "0\r\n\r\n"), 400},
    {"quoted", POST("Transfer-Encoding: \"chunked\"", "0\r\n\r\n"), 400},
    {"in single quotes", POST("Transfer-Encoding: 'chunked'", "0\r\n\r\n"), 400},
    {"in brackets", POST("Transfer-Encoding: [chunked]", "0\r\n\r\n"), 400},
    {"VT before",
     POST("Transfer-Encoding: \x0b"
          "chunked",
          "0\r\n\r\n"),
     400},
    {"FF before",
     POST("Transfer-Encoding: \x0c"
          "chunked",
          "0\r\n\r\n"),
     400},
    {"NUL behind", POST("Transfer-Encoding: chunked\0", "0\r\n\r\n"), 400},
    {"CR behind", POST("Transfer-Encoding: chunked\rX: y", "0\r\n\r\n"), 400},
    {"no-break space",
     POST("Transfer-Encoding: \xa0"
          "chunked",
          "0\r\n\r\n"),
     400},
    {"kelvin sign",
     POST("Transfer-Encoding: chun\xe2\x84\xaa"
          "ed",
          "0\r\n\r\n"),
     400},
    {"space inside", POST("Transfer-Encoding: chu nked", "0\r\n\r\n"), 400},
    {"line instead of comma", POST("Transfer-Encoding: chunked\n , x", "0\r\n\r\n"), 400},
    {"folded", POST("Transfer-Encoding:\r\n chunked", "0\r\n\r\n"), 400},
    {"folded with tab", POST("Transfer-Encoding:\r\n\tchunked", "0\r\n\r\n"), 400},
    {"space before the colon", POST("Transfer-Encoding : chunked", "0\r\n\r\n"), 400},
    {"no colon", POST("Transfer-Encoding chunked", "0\r\n\r\n"), 400},
    {"two colons", POST("Transfer-Encoding:: chunked", "0\r\n\r\n"), 400},
    {"no-break space in the name", POST("Transfer-Encoding\xa0: chunked", "0\r\n\r\n"), 400},
    {"VT in the name", POST("Transfer\x0b-Encoding: chunked", "0\r\n\r\n"), 400},
    {"underscore in the name is another name", POST("Transfer_Encoding: chunked", ""), 0},
    {"hidden behind a CR", POST("X: y\rTransfer-Encoding: chunked", "0\r\n\r\n"), 400},
    {"hidden behind a LF", POST("X: y\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400},
    {"hidden behind LF CR", POST("X: y\n\rTransfer-Encoding: chunked", "0\r\n\r\n"), 400},
};

constexpr Case kChunks[] = {
    {"one chunk", CHUNKED("5\r\nhello\r\n0\r\n\r\n"), 0},
    {"size with zeros", CHUNKED("0005\r\nhello\r\n000\r\n\r\n"), 0},
    {"size in capitals", CHUNKED("A\r\nhellohello\r\n0\r\n\r\n"), 0},
    {"extension", CHUNKED("5;name=value\r\nhello\r\n0;last\r\n\r\n"), 0},
    {"quoted extension", CHUNKED("5;a=\"b c\"\r\nhello\r\n0\r\n\r\n"), 0},
    {"size 0x5", CHUNKED("0x5\r\nhello\r\n0\r\n\r\n"), 400},
    {"size with plus", CHUNKED("+5\r\nhello\r\n0\r\n\r\n"), 400},
    {"size with minus", CHUNKED("-5\r\nhello\r\n0\r\n\r\n"), 400},
    {"size with underscore", CHUNKED("1_0\r\nhello\r\n0\r\n\r\n"), 400},
    {"size with h", CHUNKED("5h\r\nhello\r\n0\r\n\r\n"), 400},
    {"no size", CHUNKED("\r\nhello\r\n0\r\n\r\n"), 400},
    {"no size but an extension", CHUNKED(";a\r\nhello\r\n0\r\n\r\n"), 400},
    {"space before the size", CHUNKED(" 5\r\nhello\r\n0\r\n\r\n"), 400},
    {"tab before the size", CHUNKED("\t5\r\nhello\r\n0\r\n\r\n"), 400},
    {"space behind the size", CHUNKED("5 \r\nhello\r\n0\r\n\r\n"), 400},
    {"tab behind the size", CHUNKED("5\t\r\nhello\r\n0\r\n\r\n"), 400},
    {"space before an extension", CHUNKED("5 ;a\r\nhello\r\n0\r\n\r\n"), 400},
    {"two sizes", CHUNKED("5 5\r\nhello\r\n0\r\n\r\n"), 400},
    {"comma behind the size", CHUNKED("5,\r\nhello\r\n0\r\n\r\n"), 400},
    {"NUL behind the size", CHUNKED("5\0\r\nhello\r\n0\r\n\r\n"), 400},
    {"64-bit overflow", CHUNKED("10000000000000005\r\nhello\r\n0\r\n\r\n"), 400},
    {"63-bit overflow", CHUNKED("8000000000000000\r\nhello\r\n0\r\n\r\n"), 400},
    {"32-bit wrap is taken for what it is", CHUNKED("100000000\r\nhello\r\n0\r\n\r\n"), -1},
    {"all f", CHUNKED("ffffffffffffffff\r\nhello\r\n0\r\n\r\n"), 400},
    {"size line ends in LF", CHUNKED("5\nhello\r\n0\r\n\r\n"), 400},
    {"size line ends in CR", CHUNKED("5\rhello\r\n0\r\n\r\n"), 400},
    {"size line ends in CR CR LF", CHUNKED("5\r\r\nhello\r\n0\r\n\r\n"), 400},
    {"LF in an extension", CHUNKED("5;a\nhello\r\n0\r\n\r\n"), 400},
    {"CR in an extension", CHUNKED("5;a\rb\r\nhello\r\n0\r\n\r\n"), 400},
    {"NUL in an extension", CHUNKED("5;a\0\r\nhello\r\n0\r\n\r\n"), 400},
    {"LF in a quoted extension", CHUNKED("5;a=\"\n\"\r\nhello\r\n0\r\n\r\n"), 400},
    {"data followed by LF", CHUNKED("5\r\nhello\n0\r\n\r\n"), 400},
    {"data followed by CR", CHUNKED("5\r\nhello\r0\r\n\r\n"), 400},
    {"data followed by nothing", CHUNKED("5\r\nhello0\r\n\r\n"), 400},
    {"data one longer", CHUNKED("5\r\nhello!\r\n0\r\n\r\n"), 400},
    {"data one shorter", CHUNKED("5\r\nhell\r\n0\r\n\r\n"), 400},
    {"last chunk ends in LF", CHUNKED("0\n\r\n"), 400},
    {"trailer section ends in LF", CHUNKED("0\r\n\n"), 400},
    {"trailer section ends in CR", CHUNKED("0\r\n\rX"), 400},
    {"trailer line ends in LF", CHUNKED("0\r\nX: y\n\r\n"), 400},
    {"trailer with space before the colon", CHUNKED("0\r\nX : y\r\n\r\n"), 400},
    {"folded trailer", CHUNKED("0\r\nX: y\r\n z\r\n\r\n"), 400},
    {"trailer without colon", CHUNKED("0\r\nGET / HTTP/1.1\r\n\r\n"), 400},
    {"trailer that is a request line with a colon", CHUNKED("0\r\nGET http://a/ HTTP/1.1\r\n\r\n"),
     400},
    {"trailer with NUL", CHUNKED("0\r\nX: \0\r\n\r\n"), 400},
    {"trailer with empty name", CHUNKED("0\r\n: y\r\n\r\n"), 400},
    {"length in the trailer", CHUNKED("0\r\nContent-Length: 10\r\n\r\n"), 0},
    {"coding in the trailer", CHUNKED("0\r\nTransfer-Encoding: chunked\r\n\r\n"), 0},
    {"host in the trailer", CHUNKED("0\r\nHost: b\r\n\r\n"), 0},
};

constexpr Case kLines[] = {
    {"plain", GET("X: y"), 0},
    {"empty line before", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"sv, 0},
    {"two empty lines before", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"LF before", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"CR before", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"space before", " GET / HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"LF only", "GET / HTTP/1.1\nHost: a\n\n"sv, 400},
    {"request line ends in LF", "GET / HTTP/1.1\nHost: a\r\n\r\n"sv, 400},
    {"field line ends in LF", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"sv, 400},
    {"head ends in LF", "GET / HTTP/1.1\r\nHost: a\r\n\n"sv, 400},
    {"head ends in CR LF LF", "GET / HTTP/1.1\r\nHost: a\r\n\nGET / HTTP/1.1\r\n\r\n"sv, 400},
    {"CR CR LF", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"sv, 400},
    {"bare CR in a value", GET("X: a\rb"), 400},
    {"bare CR in a name", GET("X\rY: b"), 400},
    {"NUL in a value", GET("X: a\0b"), 400},
    {"NUL in a name", GET("X\0: b"), 400},
    {"BEL in a value", GET("X: \x07"), 400},
    {"DEL in a value", GET("X: \x7f"), 400},
    {"ESC in a value", GET("X: \x1b[0m"), 400},
    {"tab in a value", GET("X: a\tb"), 0},
    {"obs-text in a value", GET("X: \xc3\xa4\xff"), 0},
    {"obs-text in a name", GET("X\xc3\xa4: y"), 400},
    {"empty value", GET("X:"), 0},
    {"empty name", GET(": y"), 400},
    {"only a colon", GET(":"), 400},
    {"no colon", GET("X y"), 400},
    {"space in a name", GET("X Y: z"), 400},
    {"parenthesis in a name", GET("X(: z"), 400},
    {"slash in a name", GET("X/Y: z"), 400},
    {"quote in a name", GET("\"X\": z"), 400},
    {"brace in a name", GET("{X}: z"), 400},
    {"every tchar in a name", GET("!#$%&'*+-.^_`|~09azAZ: z"), 0},
    {"folded line", GET("X: y\r\n z"), 400},
    {"folded line with tab", GET("X: y\r\n\tz"), 400},
    {"line of one space", GET("X: y\r\n "), 400},
    {"tab in the request line", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"two spaces before the target", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"two spaces before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"space behind the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"sv, 400},
    {"space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"two versions", "GET / HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"no version", "GET /\r\nHost: a\r\n\r\n"sv, 400},
    {"no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"empty target", "GET  HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"only a method", "GET\r\nHost: a\r\n\r\n"sv, 400},
    {"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"version of another protocol", "GET / HTCPCP/1.0\r\nHost: a\r\n\r\n"sv, 400},
    {"version without minor", "GET / HTTP/1\r\nHost: a\r\n\r\n"sv, 400},
    {"version with long minor", "GET / HTTP/1.10\r\nHost: a\r\n\r\n"sv, 400},
    {"version with long major", "GET / HTTP/01.1\r\nHost: a\r\n\r\n"sv, 400},
    {"version with comma", "GET / HTTP/1,1\r\nHost: a\r\n\r\n"sv, 400},
    {"version 0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n"sv, 505},
    {"version 1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n"sv, 505},
    {"version 1.9", "GET / HTTP/1.9\r\nHost: a\r\n\r\n"sv, 505},
    {"version 2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n"sv, 505},
    {"version 3.0", "GET / HTTP/3.0\r\nHost: a\r\n\r\n"sv, 505},
    {"preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"sv, 505},
    {"lower-case method is another method", "get / HTTP/1.1\r\nHost: a\r\n\r\n"sv, 0},
    {"unknown method", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"sv, 0},
    {"method with colon", "GET: / HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"method with NUL", "GE\0T / HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"obs-text in the target", "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"DEL in the target", "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"target without slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"target of another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"target with user", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"target without authority", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"star with GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"star with OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"sv, 0},
    {"start of a TLS connection", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc"sv, 400},
};

constexpr Case kHosts[] = {
    {"no host", "GET / HTTP/1.1\r\nX: y\r\n\r\n"sv, 400},
    {"no fields at all", "GET / HTTP/1.1\r\n\r\n"sv, 400},
    {"no host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n"sv, 0},
    {"two hosts", GET("Host: b"), 400},
    {"the same host twice", GET("Host: a"), 400},
    {"two hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"sv, 400},
    {"empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"sv, 400},
    {"host with user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"sv, 400},
    {"host with path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"sv, 400},
    {"host with query", "GET / HTTP/1.1\r\nHost: a?b\r\n\r\n"sv, 400},
    {"host with fragment", "GET / HTTP/1.1\r\nHost: a#b\r\n\r\n"sv, 400},
    {"host with space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"sv, 400},
    {"host with tab", "GET / HTTP/1.1\r\nHost: a\tb\r\n\r\n"sv, 400},
    {"list of hosts", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"sv, 400},
    {"host with scheme", "GET / HTTP/1.1\r\nHost: http://a\r\n\r\n"sv, 400},
    {"host with a port that is no number", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"sv, 400},
    {"host with two ports", "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n"sv, 400},
    {"host with too large a port", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"sv, 400},
    {"host with obs-text", "GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n"sv, 400},
    {"host with broken percent", "GET / HTTP/1.1\r\nHost: a%2\r\n\r\n"sv, 400},
    {"host with open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"sv, 400},
    {"host with no address in brackets", "GET / HTTP/1.1\r\nHost: [a]\r\n\r\n"sv, 400},
    {"host with something behind the bracket", "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n"sv, 400},
    {"address in brackets", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"sv, 0},
    {"absolute target with another host", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"sv, 0},
    {"absolute target without host", "GET http://b/ HTTP/1.1\r\n\r\n"sv, 400},
    {"absolute target with bad host", "GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n"sv, 400},
    {"authority as target of GET", "GET a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"sv, 400},
    {"path as target of CONNECT", "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"CONNECT without port", "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"nominated Host", GET("Connection: Host"), 400},
    {"nominated Content-Length", POST("Connection: content-length\r\nContent-Length: 5", "hello"),
     400},
    {"nominated Transfer-Encoding",
     POST("Connection: close, Transfer-Encoding\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400},
    {"connection option that is no token", GET("Connection: clo se"), 400},
    {"unknown expectation", GET("Expect: y 100-continue"), 417},
    {"expectation with a parameter", POST("Expect: 100-continue;a\r\nContent-Length: 5", "hello"),
     417},
    {"two expectations", POST("Expect: 100-continue\r\nExpect: x\r\nContent-Length: 5", "hello"),
     417},
};

// What follows a refused request is never read; what follows a taken one is the next request,
// untouched.
void check(const Case& hostile) {
  CAPTURE(hostile.what);
  Reader at_once(CodecRole::kServer);
  at_once.feed(hostile.bytes);
  Reader bytewise(CodecRole::kServer);
  bytewise.feed_bytewise(hostile.bytes);
  CHECK(at_once.said() == bytewise.said());
  CHECK(at_once.fault() == bytewise.fault());
  CHECK(at_once.reason() == bytewise.reason());
  if (hostile.status > 0) {
    CHECK(status_of(at_once.fault()) == hostile.status);
    CHECK(at_once.reason().starts_with("RFC "));
    CHECK_FALSE(at_once.codec().keeps_alive());
    CHECK(at_once.pending().empty());
  } else {
    CHECK(at_once.fault() == Fault::kNone);
    CHECK(at_once.requests() == 1);
    CHECK(at_once.codec().has_read_message() == (hostile.status == 0));
    CHECK(at_once.pending().empty());
  }
}

}  // namespace

TEST_CASE("smuggling: lengths that readers could count differently") {
  for (const Case& hostile : kFraming)
    check(hostile);
}
TEST_CASE("smuggling: transfer codings other than exactly chunked") {
  for (const Case& hostile : kCodings)
    check(hostile);
}
TEST_CASE("smuggling: chunk syntax and trailers") {
  for (const Case& hostile : kChunks)
    check(hostile);
}
TEST_CASE("smuggling: lines, names and request lines") {
  for (const Case& hostile : kLines)
    check(hostile);
}
TEST_CASE("smuggling: hosts, targets and nominated fields") {
  for (const Case& hostile : kHosts)
    check(hostile);
}
TEST_CASE("smuggling: the table holds what it promises") {
  CHECK(std::size(kFraming) + std::size(kCodings) + std::size(kChunks) + std::size(kLines) +
            std::size(kHosts) >=
        200);
}

TEST_CASE("smuggling: a body of GET, HEAD and OPTIONS is framed, never left for the next request") {
  for (const char* method : {"GET", "HEAD", "OPTIONS", "DELETE", "TRACE"}) {
    CAPTURE(method);
    Reader reader(CodecRole::kServer);
    reader.feed_all(std::string(method) +
                    " / HTTP/1.1\r\nHost: a\r\nContent-Length: 36\r\n\r\nGET /x HTTP/1.1\r\nHost: "
                    "a\r\nX: aaa\r\n\r\n"
                    "GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(reader.requests() == 2);
    CHECK(reader.request().target == "/second");
  }
}

TEST_CASE("smuggling: bytes behind an offered upgrade stay with the caller until a 101") {
  Reader reader(CodecRole::kServer);
  reader.feed(
      "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET "
      "/admin HTTP/1.1\r\n");
  CHECK(reader.said() == "request GET /chat none; end; ");
  CHECK(reader.pending() == "GET /admin HTTP/1.1\r\n");
}

TEST_CASE("smuggling: an expectation does not unframe the body") {
  Reader reader(CodecRole::kServer);
  reader.feed_all(
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nGET /"
      "GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(reader.requests() == 2);
  CHECK(reader.request().target == "/second");
}
