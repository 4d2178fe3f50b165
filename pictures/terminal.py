"""A terminal of 80 columns in which a command runs, and the picture of what it shows."""
import fcntl
import os
import pty
import re
import select
import struct
import termios
import time
import unicodedata
from xml.sax.saxutils import escape

COLUMNS, ROWS = 80, 40
CELL, LINE, MARGIN, BAR = 8.4, 19, 14, 30  # pixels
SEQUENCE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b\][^\x07]*\x07|\x1b.")

# Foreground, and the 16 colours of a terminal, each readable on its ground (contrast of 4.5 and more).
THEMES = {
    "light": {"ground": "#ffffff", "bar": "#eaeef2", "frame": "#d0d7de", "note": "#ddf4ff", "text": "#1f2328", "dim": "#636c76",
              "colours": ["#1f2328", "#cf222e", "#116329", "#7d4e00", "#0550ae", "#8250df", "#1b6f77", "#57606a"]},
    "dark": {"ground": "#0d1117", "bar": "#21262d", "frame": "#30363d", "note": "#12304d", "text": "#e6edf3", "dim": "#8b949e",
             "colours": ["#8b949e", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#c9d1d9"]},
}


class Screen:
    """Lines of cells; each cell is a character and its style."""
    def __init__(self):
        self.lines, self.column = [[]], 0
        self.style = frozenset()

    def feed(self, text):
        place = 0
        while place < len(text):
            found = SEQUENCE.match(text, place)
            if found:
                if found[2] == "m":
                    self.paint(found[1])
                elif found[2] == "K":
                    del self.lines[-1][self.column:]
                elif found[2] in ("H", "J"):
                    self.lines, self.column = [[]], 0
                place = found.end()
                continue
            self.put(text[place])
            place += 1

    def put(self, char):
        if char == "\n":
            self.lines.append([])
        elif char == "\r":
            self.column = 0
        elif char >= " ":
            width = 2 if unicodedata.east_asian_width(char) in "WF" else 1
            if self.column + width > COLUMNS:
                self.column = 0
                self.put("\n")
            line = self.lines[-1]
            line.extend([(" ", frozenset())] * (self.column - len(line)))
            line[self.column:self.column + width] = [(char, self.style)] + [("", self.style)] * (width - 1)
            self.column += width

    def paint(self, parameters):
        style, numbers = set(self.style), [int(word or 0) for word in parameters.split(";")]
        while numbers:
            number = numbers.pop(0)
            if number == 0:
                style = set()
            elif number == 1:
                style.add("bold")
            elif number == 2:
                style.add("dim")
            elif number == 3:
                style.add("italic")
            elif number == 4:
                style.add("under")
            elif number == 22:
                style -= {"bold", "dim"}
            elif number in (38, 48):
                kind = numbers.pop(0)
                colour = numbers.pop(0) if kind == 5 else None
                del numbers[:3 if kind == 2 else 0]
                if number == 38 and colour is not None and colour < 16:
                    style = {word for word in style if not word.startswith("c")} | {f"c{colour % 8}"}
            elif 30 <= number <= 37 or 90 <= number <= 97:
                style = {word for word in style if not word.startswith("c")} | {f"c{number % 10}"}
            elif number == 39:
                style = {word for word in style if not word.startswith("c")}
        self.style = frozenset(style)

    def text(self):
        return ["".join(char for char, _ in line).rstrip() for line in self.lines]


class Session:
    """A command in a terminal of its own."""
    def __init__(self, command, folder, shown_as=None, **variables):
        self.screen, self.bytes = Screen(), b""
        self.folder, self.shown_as = str(folder), shown_as or str(folder)
        self.heard = ""
        kept = {name: value for name, value in os.environ.items()
                if name not in ("NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "RUST_LOG") and not name.startswith("CARGO")}
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, {**kept, "TERM": "xterm-256color", **variables})
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def read(self, seconds):
        """Whether the terminal is still open."""
        if not select.select([self.file], [], [], seconds)[0]:
            return True
        try:
            part = os.read(self.file, 65536)
        except OSError:
            return False
        text = (self.bytes + part).decode(errors="surrogateescape")
        # Half a character waits for its other half.
        whole = text.rstrip("".join(map(chr, range(0xDC80, 0xDD00))))
        self.bytes = text[len(whole):].encode(errors="surrogateescape")
        self.heard += whole
        self.screen.feed(whole.replace(self.folder, self.shown_as))
        return bool(part)

    def until(self, fragment, count=1, seconds=120):
        end = time.monotonic() + seconds
        while self.heard.count(fragment) < count:
            if time.monotonic() > end or not self.read(0.1):
                raise RuntimeError(f"'{fragment}' did not come:\n{self.heard}")

    def rest(self, seconds):
        """Reads for a while, since what belongs together comes together."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and self.read(left):
            pass

    def press(self, keys):
        os.write(self.file, keys.encode())

    def end(self):
        while self.read(60):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def runs(line):
    """Stretches of one style: column, text, style."""
    found = []
    for column, (char, style) in enumerate(line):
        if found and found[-1][2] == style and not (char == " " and found[-1][1].endswith(" ")):
            found[-1][1] += char
        else:
            found.append([column, char, style])
    return [(column, text.rstrip(), style) for column, text, style in found if text.strip()]


def css(theme):
    values = THEMES[theme]
    told = f".ground{{fill:{values['ground']};stroke:{values['frame']}}}.bar{{fill:{values['bar']}}}.note{{fill:{values['note']}}}"
    told += f"text{{fill:{values['text']}}}.dim,.title{{fill:{values['dim']}}}"
    return told + "".join(f".c{number}{{fill:{colour}}}" for number, colour in enumerate(values["colours"]))


def draw(title, rows, theme=None, told=""):
    """The picture: `rows` are (line of cells, whether it is a note). Without a theme, that of the reader."""
    height = BAR + 2 * MARGIN + LINE * len(rows)
    width = 2 * MARGIN + CELL * COLUMNS
    style = css(theme) if theme else css("light") + "@media (prefers-color-scheme: dark){" + css("dark") + "}"
    told = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img">',
        f"<title>{escape(title)}</title><desc>{escape(told)}</desc>",
        f"<style>text{{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre}}.bold{{font-weight:600}}"
        f".italic{{font-style:italic}}.under{{text-decoration:underline}}{style}</style>",
        f'<rect class="ground" x=".5" y=".5" width="{width - 1:g}" height="{height - 1:g}" rx="8"/>',
        f'<path class="bar" d="M1 {BAR}V9a8 8 0 0 1 8-8H{width - 9:g}a8 8 0 0 1 8 8V{BAR}z"/>',
        *(f'<circle cx="{16 + 18 * number}" cy="{BAR / 2:g}" r="5.5" fill="{colour}"/>' for number, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))),
        f'<text class="title" x="{width / 2:g}" y="{BAR / 2 + 5:g}" text-anchor="middle">{escape(title)}</text>',
    ]
    for number, (line, is_note) in enumerate(rows):
        top = BAR + MARGIN + LINE * number
        if is_note:
            told.append(f'<rect class="note" x="1" y="{top}" width="{width - 2:g}" height="{LINE}"/>')
        for column, text, style in runs(line):
            classes = " ".join(sorted(style))
            kind = f' class="{classes}"' if classes else ""
            # As wide as its cells, whatever font the reader has.
            cells = sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
            told.append(f'<text x="{MARGIN + CELL * column:g}" y="{top + 14}" textLength="{CELL * cells:g}"{kind} '
                        f'lengthAdjust="spacingAndGlyphs">{escape(text)}</text>')
    return "\n".join([*told, "</svg>"]) + "\n"
