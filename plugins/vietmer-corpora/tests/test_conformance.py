"""Every importer keeps every rule of its role, on a sample in the layout of its corpus."""

from vietmer_core.testing import conformance_tests

test_audiofolder = conformance_tests("importer", "audiofolder")
test_emodb = conformance_tests("importer", "emodb")
test_iemocap = conformance_tests("importer", "iemocap")
test_meld = conformance_tests("importer", "meld")
test_ravdess = conformance_tests("importer", "ravdess")
test_sentiv = conformance_tests("importer", "sentiv")
test_visec = conformance_tests("importer", "visec")
test_vlsp = conformance_tests("importer", "vlsp")
test_vnemos = conformance_tests("importer", "vnemos")
test_vsmec = conformance_tests("importer", "vsmec")
