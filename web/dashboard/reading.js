// What the rooms of readings hold, and how it is told to people. Pure: no page, no connection.

/** Two digits behind the point, as everywhere on this page where a part of a whole is told. */
const digits = (value) => value.toFixed(2);

const STEPS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** 0 B, 512 B, 1.50 KiB, 12.4 GiB. */
export function bytes(value) {
  let step = 0;
  let rest = Math.abs(value);
  while (rest >= 1023.95 && step < STEPS.length - 1) {
    rest /= 1024;
    step++;
  }
  const text = step === 0 ? String(Math.round(rest)) : rest < 9.995 ? rest.toFixed(2) : rest < 99.95 ? rest.toFixed(1) : rest.toFixed(0);
  return `${value < 0 ? "−" : ""}${text} ${STEPS[step]}`;
}

const UNITS = {
  percent: { text: (value) => `${value.toFixed(1)} %`, difference: (value) => `${value.toFixed(1)} points` },
  bytes: { text: bytes, difference: bytes },
  rate: { text: (value) => `${bytes(value)}/s`, difference: (value) => `${bytes(value)}/s` },
};

/** A value in its unit; "n/a" where there is none. Zero is one. */
export const valueText = (value, unit) => (Number.isFinite(value) ? UNITS[unit].text(value) : "n/a");

/** How a value differs from the one before: {difference, percent}; null for what cannot be told. */
export function change(value, previous) {
  if (!Number.isFinite(value) || !Number.isFinite(previous)) return { difference: null, percent: null };
  const difference = value - previous;
  return { difference, percent: previous === 0 ? null : (difference / previous) * 100 };
}

const sign = (value) => (value > 0 ? "+" : value < 0 ? "−" : "±");

/** {difference: "+1.2 points", percent: "+10.71 %", direction}; "n/a" for what cannot be told. */
export function changeText(value, previous, unit) {
  const { difference, percent } = change(value, previous);
  return {
    difference: difference === null ? "n/a" : sign(difference) + UNITS[unit].difference(Math.abs(difference)),
    percent: percent === null ? "n/a" : `${sign(percent)}${digits(Math.abs(percent))} %`,
    direction: difference === null ? "none" : Math.sign(difference) > 0 ? "up" : Math.sign(difference) < 0 ? "down" : "same",
  };
}

const part = (used, total) => (total > 0 ? ` (${((used / total) * 100).toFixed(0)} %)` : "");

/**
 * The kinds of readings: the room, the title, the figures that are told large and drawn (key, label, of(reading)), all in
 * one unit, what stands beside them, and the top of the chart: fixed, or 0 for as high as the values go.
 */
export const KINDS = [
  {
    room: "host/cpu",
    title: "Processor",
    unit: "percent",
    figures: [{ label: "busy", of: ({ percent }) => percent }],
    note: ({ cores, load }) => `${cores.length} ${cores.length === 1 ? "core" : "cores"}, load ${load.map(digits).join(" · ")}`,
    top: () => 100,
  },
  {
    room: "host/memory",
    title: "Memory",
    unit: "bytes",
    figures: [{ label: "in use", of: ({ used }) => used }],
    note: ({ used, total, swap_used, swap_total }) =>
      `of ${bytes(total)}${part(used, total)}, ${swap_total ? `swap ${bytes(swap_used)} of ${bytes(swap_total)}` : "no swap"}`,
    top: ({ total }) => total,
  },
  {
    room: "host/network",
    title: "Network",
    unit: "rate",
    figures: [{ label: "in", of: (reading) => reading.in }, { label: "out", of: ({ out }) => out }],
    note: () => "all interfaces that lead outside",
    top: () => 0,
  },
  {
    room: "host/disk",
    title: "Disk",
    unit: "rate",
    figures: [{ label: "read", of: ({ read }) => read }, { label: "written", of: ({ write }) => write }],
    note: ({ used, total }) => `${bytes(used)} of ${bytes(total)} full${part(used, total)}`,
    top: () => 0,
  },
];
