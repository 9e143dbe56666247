// The parts of the dashboard that need neither browser nor server: what changed, how it is told, and what a chart draws.

import assert from "node:assert/strict";
import { test } from "node:test";

const from = (name) => import(new URL(`../../web/dashboard/${name}`, import.meta.url));
const { KINDS, bytes, change, changeText, valueText } = await from("reading.js");
const { Series } = await from("series.js");

test("a change is told against the value before, and n/a where there is none", () => {
  assert.deepEqual(change(12, 10), { difference: 2, percent: 20 });
  assert.deepEqual(change(0, 10), { difference: -10, percent: -100 }, "zero is a value");
  assert.deepEqual(change(5, 0), { difference: 5, percent: null }, "nothing is a part of zero");
  for (const [now, before] of [[5, undefined], [undefined, 5], [NaN, 5], [5, null], [{}, 5], ["5", 5]]) {
    assert.deepEqual(change(now, before), { difference: null, percent: null });
  }
});

test("a change is told with its sign and two digits", () => {
  assert.deepEqual(changeText(12.5, 10, "percent"), { difference: "+2.5 points", percent: "+25.00 %", direction: "up" });
  assert.deepEqual(changeText(1024, 3072, "bytes"), { difference: "−2.00 KiB", percent: "−66.67 %", direction: "down" });
  assert.deepEqual(changeText(7, 7, "percent"), { difference: "±0.0 points", percent: "±0.00 %", direction: "same" });
  assert.deepEqual(changeText(7, 0, "rate"), { difference: "+7 B/s", percent: "n/a", direction: "up" });
  assert.deepEqual(changeText(7, undefined, "rate"), { difference: "n/a", percent: "n/a", direction: "none" });
});

test("a value is told in its unit, zero included, and n/a where there is none", () => {
  assert.deepEqual([0, 12.34, 100].map((value) => valueText(value, "percent")), ["0.0 %", "12.3 %", "100.0 %"]);
  assert.deepEqual([0, 999, 1024, 1536 * 1024].map(bytes), ["0 B", "999 B", "1.00 KiB", "1.50 MiB"]);
  assert.deepEqual([1023.96, 9.994 * 1024, 9.996 * 1024, 102.4 * 1024, 1024 ** 3 * 7.77].map(bytes), ["1.00 KiB", "9.99 KiB", "10.0 KiB", "102 KiB", "7.77 GiB"]);
  assert.deepEqual([undefined, NaN, null].map((value) => valueText(value, "bytes")), ["n/a", "n/a", "n/a"]);
});

test("every kind of reading tells what the server sends, also where it tells less", () => {
  const readings = {
    "host/cpu": { percent: 0, cores: [0], load: [0, 0, 0] },
    "host/memory": { used: 1, total: 2, swap_used: 0, swap_total: 0 },
    "host/network": { in: 0, out: 0 },
    "host/disk": { used: 1, total: 2 },
  };
  const told = KINDS.map(({ room, figures, note, unit }) => [figures.map(({ of }) => valueText(of(readings[room]), unit)), note(readings[room])]);
  assert.deepEqual(told, [
    [["0.0 %"], "1 core, load 0.00 · 0.00 · 0.00"],
    [["1 B"], "of 2 B (50 %), no swap"],
    [["0 B/s", "0 B/s"], "all interfaces that lead outside"],
    [["n/a", "n/a"], "1 B of 2 B full (50 %)"],
  ]);
});

const point = (second, value) => ({ ts: second * 1000, pos: `e.${second}.c`, data: { value } });
const figures = [{ label: "", of: ({ value }) => value }];

test("what comes late finds its place, and what comes twice counts once", () => {
  const series = new Series();
  for (const second of [3, 1, 2, 3, 1]) series.add(point(second, second));
  assert.deepEqual(series.columns(figures), [[1, 2, 3], [1, 2, 3]]);
  assert.deepEqual([series.last.data.value, series.previous.data.value], [3, 2]);
});

test("a time in which nobody looked is a hole, and no change is told across it", () => {
  const series = new Series();
  for (const second of [1, 2, 30]) series.add(point(second, 0));
  assert.deepEqual(series.columns(figures), [[1, 2, 2.001, 30], [0, 0, null, 0]]);
  assert.equal(series.previous, undefined);
});

test("a chart begins with the last point before its time", () => {
  const series = new Series();
  for (const second of [1, 2, 3, 4]) series.add(point(second, second));
  assert.deepEqual(series.columns(figures, 2500)[0], [2, 3, 4]);
});

test("what is kept is bounded, the oldest goes", () => {
  const series = new Series();
  for (let second = 1; second <= 1300; second++) series.add(point(second, 0));
  assert.deepEqual([series.points.length, series.points[0].ts], [1200, 101_000]);
});
