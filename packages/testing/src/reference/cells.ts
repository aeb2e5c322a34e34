// Scaling and shifting of rows by the cell that each belongs to, their gradients, and the proximal steps that make cells exactly 0, in float64.
import type { Reference } from '../tolerance.js';
import { addTerm, zeros } from './shapes.js';

/** Rows with their cells and a table of values per cell. */
export interface CellCase {
  /** [R, units, width] */
  readonly x: Float64Array;
  /** [Q, units] */
  readonly table: Float64Array;
  readonly units: number;
  /** [R]; −1 for none. */
  readonly cells: Int32Array;
  readonly strength: Float64Array;
  readonly form: 'linear' | 'exponential' | 'bounded';
  readonly bound: number;
}

/** γ(t), γ′(t) and how far both may be off in units of the bound. */
function factorOf({ form, bound }: CellCase, t: number): { value: number; slope: number; error: number } {
  if (form === 'linear') return { value: 1 + t, slope: 1, error: 2 + Math.abs(t) };
  if (form === 'exponential')
    return { value: Math.exp(t), slope: Math.exp(t), error: Math.exp(t) * (4 + 3 * Math.abs(t)) };
  const u = Math.tanh(t / bound);
  // tanh is off by 1.4e-7 absolute on software adapters: two units.
  return { value: 1 + bound * u, slope: 1 - u * u, error: 2 + 4 * bound };
}

function eachElement(about: CellCase, visit: (at: number, row: number, place: number) => void): void {
  const { x, units, cells } = about;
  const width = x.length / (cells.length * units);
  x.forEach((_, at) => {
    const unit = Math.floor(at / width);
    const row = Math.floor(unit / units);
    visit(at, row, cells[row]! < 0 ? -1 : cells[row]! * units + (unit % units));
  });
}

/** γ(strength · table[cell]) · x. */
export function cellScaleForward(about: CellCase): Reference {
  const y = zeros(about.x.length);
  eachElement(about, (at, row, place) => {
    const x = about.x[at]!;
    if (place < 0) return addTerm(y, at, x, 0);
    const { value, error } = factorOf(about, about.strength[row]! * about.table[place]!);
    addTerm(y, at, value * x, Math.abs(x) * (error + Math.abs(value)));
  });
  return y;
}

/** Gradients at x and at the table. */
export function cellScaleVjp(about: CellCase, dy: Float64Array): { readonly x: Reference; readonly table: Reference } {
  const dx = zeros(about.x.length);
  const dTable = zeros(about.table.length);
  eachElement(about, (at, row, place) => {
    if (place < 0) return addTerm(dx, at, dy[at]!, 0);
    const s = about.strength[row]!;
    const { value, slope, error } = factorOf(about, s * about.table[place]!);
    addTerm(dx, at, value * dy[at]!, Math.abs(dy[at]!) * (error + Math.abs(value)));
    const term = s * about.x[at]! * dy[at]!;
    addTerm(dTable, place, slope * term, Math.abs(term) * (error + 2));
  });
  return { x: dx, table: dTable };
}

/** x + strength · table[cell]. */
export function cellAddForward(about: CellCase): Reference {
  const y = zeros(about.x.length);
  eachElement(about, (at, row, place) => {
    addTerm(y, at, about.x[at]!, place < 0 ? 0 : Math.abs(about.x[at]!));
    if (place >= 0) addTerm(y, at, about.strength[row]! * about.table[place]!);
  });
  return y;
}

/** Gradient at the table; at x it is dy. */
export function cellAddVjp(about: CellCase, dy: Float64Array): Reference {
  const dTable = zeros(about.table.length);
  eachElement(about, (at, row, place) => {
    if (place >= 0) addTerm(dTable, place, about.strength[row]! * dy[at]!);
  });
  return dTable;
}

/** argmin_z λ|z| + (√v̂ + floor)/(2 rate) (z − p)² per element: threshold = rate · λ, metric = √v̂ + floor. */
export function proximalL1(p: Float64Array, metric: Float64Array, threshold: number): Float64Array {
  return p.map((value, i) => Math.sign(value) * Math.max(0, Math.abs(value) - threshold / metric[i]!));
}

/** The same for λ‖row‖₂ with one metric per row: the root of the row's mean v̂, plus the floor. */
export function proximalRows(p: Float64Array, metric: Float64Array, width: number, threshold: number): Float64Array {
  return p.map((value, i) => {
    const row = Math.floor(i / width);
    const norm = Math.hypot(...p.subarray(row * width, (row + 1) * width));
    return norm === 0 ? 0 : value * Math.max(0, 1 - threshold / (metric[row]! * norm));
  });
}
