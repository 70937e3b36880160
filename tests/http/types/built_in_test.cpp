#include <belay/http/types.hpp>

#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace belay::http;

BOOST_AUTO_TEST_SUITE(built_in_test)

BOOST_AUTO_TEST_CASE(all_types_are_offered)
{
    std::vector<std::string> names;
    for (auto const& type : built_in_types())
        names.push_back(type.type.name);

    BOOST_TEST(names == (std::vector<std::string>{"checksum", "compress", "sleep", "spin"}));
}

BOOST_AUTO_TEST_CASE(every_type_can_be_described)
{
    for (auto const& type : built_in_types()) {
        BOOST_TEST((type.type.body != nullptr));
        BOOST_TEST((type.check != nullptr));
        BOOST_TEST(type.input_schema.contains("oneOf"));
    }
}

BOOST_AUTO_TEST_CASE(schemas_are_what_check_accepts)
{
    BOOST_TEST(boost::json::serialize(sleep_type().input_schema) ==
               R"({"oneOf":[{"type":"object","properties":{"ms":{"type":"integer","minimum":0,)"
               R"("maximum":86400000}},"required":["ms"],"additionalProperties":false},)"
               R"({"type":"integer","minimum":0,"maximum":86400000}]})");
    BOOST_TEST(boost::json::serialize(checksum_type().input_schema) ==
               R"({"oneOf":[{"type":"object","properties":{"path":{"type":"string"},"algorithm":)"
               R"({"enum":["sha256","sha224","sha384","sha512","sha3-256","sha3-512",)"
               R"("blake2b512","sha1","md5"],"default":"sha256"}},"required":["path"],)"
               R"("additionalProperties":false},{"type":"string"}]})");
}

BOOST_AUTO_TEST_SUITE_END()
