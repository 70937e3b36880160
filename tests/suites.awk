# Prints the name of each test file all of whose cases are in one suite, and the name of that suite.
function finish()
{
    if (suites == 1 && !outside)
        print file, suite
}
FNR == 1 { finish(); file = FILENAME; suites = outside = depth = 0 }
/^ *BOOST_(AUTO|FIXTURE)_TEST_SUITE\(/ {
    if (depth++ == 0) {
        ++suites
        split($0, part, /[(,)]/)
        suite = part[2]
    }
}
/^ *BOOST_AUTO_TEST_SUITE_END\(/ { --depth }
/^ *BOOST_.*(TEST|DATA_TEST)_CASE/ && depth == 0 { outside = 1 }
END { finish() }
