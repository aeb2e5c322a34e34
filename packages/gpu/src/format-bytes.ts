// Numbers of bytes as people read them.

/** Bytes in binary units: whole below 1 KiB, else with three digits, or four from 1,000 to 1,023 of a unit: '475 MiB', '1.50 KiB', '1010 KiB'. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  // The unit is chosen by what is shown: 1,023.9 of one rounds to 1 of the next.
  let [value, power] = [bytes, 0];
  while (power < units.length - 1 && Math.round(value) >= 1024) {
    value /= 1024;
    power += 1;
  }
  return `${power === 0 ? value : shown(value)} ${units[power]}`;
}

const shown = (value: number): string => (value < 999.5 ? value.toPrecision(3) : value.toFixed(0));
