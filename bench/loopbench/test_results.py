"""What is worked out of samples, and what counts as a benchmark that measured nothing."""
import tempfile
import unittest
import xml.etree.ElementTree
from pathlib import Path

from . import cli  # registers the metrics
from . import pages, plot
from .checks import problems
from .metric import METRICS
from .places import REPOSITORY
from .results import Results, is_met, metric_table, number, report, summary

MS = METRICS["save"].figures[0]


class TestResults(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "results.json"
        self.results = Results(self.path)
        self.results.content.update(machine="one machine", at="today", versions={"devloop": "0.1.0"})
        self.put("floor", [{"ms": ms, "runs": 1, "missed": False} for ms in (1.0, 2.0, 3.0)])

    def put(self, tool, samples):
        self.results.forget("save", tool)
        self.results.add("save", tool, samples)

    def test_a_ratio_is_that_of_the_medians(self):
        self.put("devloop", [{"ms": ms} for ms in (100.0, 4.0, 1.0)])
        self.assertEqual(self.results.ratio("save", "devloop", MS), 2.0)
        self.assertEqual(self.results.bad_end("save", "devloop", MS), 100.0)

    def test_what_was_missed_has_no_time_and_is_counted(self):
        self.put("devloop", [{"missed": True, "runs": 0}, {"ms": 3.0, "runs": 2, "missed": False, "double": True}])
        row = next(line for line in metric_table(self.results, METRICS["save"]).splitlines() if "devloop" in line)
        self.assertEqual([cell.strip() for cell in row.split("|")][1:-1], ["**devloop**", "3", "3", "1.50 ×", "1", "2", "1", "1"])

    def test_a_file_of_samples_is_read_as_it_was_written(self):
        self.put("devloop", [{"ms": 4.25, "runs": 1, "missed": False}])
        self.results.save()
        self.assertEqual(Results(self.path).content, self.results.content)

    def test_a_target_is_met_at_its_value(self):
        self.assertTrue(is_met(MS, 4))
        self.assertFalse(is_met(MS, 4.01))

    def test_numbers_have_three_digits(self):
        self.assertEqual([number(value) for value in (0.0123, 0.5, 1.234, 12.34, 1234.5, 2, None)],
                         ["0.012", "0.50", "1.23", "12.3", "1,234", "2", "–"])

    def test_the_picture_has_a_mark_for_each_tool_and_hollow_ones_for_misses(self):
        self.put("devloop", [{"ms": 3.0, "missed": False}])
        self.put("entr", [{"ms": 30.0, "missed": False}, {"missed": True}])
        drawn = xml.etree.ElementTree.fromstring(plot.draw(self.results))
        circles = [node for node in drawn.iter() if node.tag.endswith("circle") and list(node)]
        told = {node[0].text: node.get("fill") for node in circles}
        self.assertEqual(told["entr: 15 ×"], "none")
        self.assertEqual(told["devloop: 1.50 ×"], plot.COLOURS["devloop"])

    def test_the_page_names_target_and_best_of_the_others(self):
        self.put("devloop", [{"ms": 3.0}])
        self.put("entr", [{"ms": 30.0}])
        self.assertIn("| save | save → command's `main` | 2 | 3 ms | 1.50 × | ≤ 4 | yes | 30 (entr) |", summary(self.results))
        self.assertIn("- devloop: 0.1.0", report(self.results))

    def test_a_page_has_a_column_a_tool_and_is_the_same_when_written_again(self):
        self.put("devloop", [{"ms": 3.0}])
        self.put("entr", [{"ms": 30.0}])
        page = f"before\n{pages.BEGIN}\nold\n{pages.END}\nafter\n"
        once = pages.refreshed(self.results, page)
        self.assertIn("| save → command's `main`, ms | 3 | 2 | 30 |", once)
        self.assertTrue(once.startswith("before\n") and once.endswith("\nafter\n") and "old" not in once)
        self.assertEqual(pages.refreshed(self.results, once), once)
        with self.assertRaises(ValueError):
            pages.refreshed(self.results, pages.BEGIN)

    def test_the_pages_of_the_repository_have_the_figures_of_its_samples(self):
        results = Results(REPOSITORY / "bench/results.json")
        for name in pages.PAGES:
            page = (REPOSITORY / name).read_text()
            self.assertIn(pages.BEGIN, page)
            self.assertEqual(pages.refreshed(results, page), page, f"{name} is old: bench/run --draw --out bench")

    def test_a_benchmark_that_measures_nothing_is_found(self):
        self.assertIn("save: devloop has no sample", problems(self.results, ["save"]))
        self.put("devloop", [{"missed": True, "runs": 0}])
        self.assertIn("save: devloop missed everything", problems(self.results, ["save"]))
        self.put("devloop", [{"ms": 0.0, "missed": False}])
        self.assertIn("save: devloop has an impossible 'save → command's `main`': 0.0", problems(self.results, ["save"]))
        self.put("devloop", [{"ms": 2.0, "runs": 1, "missed": False}])
        self.assertEqual(problems(self.results, ["save"]), [])


if __name__ == "__main__":
    unittest.main()
