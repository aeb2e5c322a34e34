// A grid as a sum of coarser maps, α_{s,l,i} = A_s + B_{s,l} + C_{s,r(i)} + D_{s,l,i} with ℓ1 on each: what learnt scalars say in the fewest words. Host arithmetic in float64.
import { LimnError } from '@limn/gpu';
import type { SteerableSite } from '../sites.js';
import type { CellGrid } from './cell-grid.js';

/** How to fit. */
export interface HierarchyOptions {
  /** λ. Default .05 times the largest size in the grid. */
  readonly penalty?: number | undefined;
  /** r: a name per position of the grid; positions of one name share C. Default: each its own. */
  readonly roles?: readonly string[] | undefined;
}

/** One number of a level. */
export interface SiteTerm {
  readonly site: SteerableSite;
  readonly value: number;
}

/** The fitted levels: what is not exactly 0. */
export interface AdditiveHierarchy {
  readonly measure: string;
  readonly penalty: number;
  readonly sites: readonly SiteTerm[];
  readonly layers: readonly (SiteTerm & { readonly layer: number })[];
  readonly roles: readonly (SiteTerm & { readonly role: string })[];
  readonly cells: readonly (SiteTerm & { readonly layer: number; readonly position: string })[];
  /** ½ Σ (α − fit)² + λ (Σ|A| + Σ|B| + Σ|C| + 2 Σ|D|) over live cells. */
  readonly objective: number;
  /** 1 − Σ (α − fit)² / Σ α², of all levels and of those above single cells; null where the grid is 0. */
  readonly explained: number | null;
  readonly explainedAbove: number | null;
  /** One line per site: the highest level with a term of more than 2λ, or single cells, in words. */
  readonly summary: readonly string[];
}

/** What each level weighs beside λ. */
const WEIGHTS = { site: 1, layer: 1, role: 1, cell: 2 } as const;

/** Changes below this share of the largest size end the descent. */
const ENOUGH = 1e-13;

/**
 * Terms below this share of the largest size are 0: where a site has one layer, or a layer one position, the coarser term's optimality
 * condition holds with equality at 0, and the descent comes ever closer without arriving.
 */
const NOTHING = 1e-9;

/** A number and the cells that it is added to. */
interface Term {
  readonly level: keyof typeof WEIGHTS;
  readonly site: SteerableSite;
  readonly layer?: number;
  readonly role?: string;
  readonly position?: string;
  readonly cells: number[];
  value: number;
}

/**
 * Minimises ½ Σ (α − A_s − B_{s,l} − C_{s,r} − D_{s,l,i})² + λ (Σ|A| + Σ|B| + Σ|C| + 2 Σ|D|) over live cells with a number, by cyclic
 * coordinate descent: each step is exact, x ← soft(x + mean residual, λw / n), and for a convex smooth part with a separable penalty
 * the descent ends at a minimum.
 * @throws LimnError `usage/steering-option`, `data/steering-grid` (no live cell)
 */
export function additiveHierarchy(grid: CellGrid, { penalty, roles }: HierarchyOptions = {}): AdditiveHierarchy {
  const named = roles ?? grid.positions;
  if (named.length !== grid.positions.length || (penalty !== undefined && !(penalty > 0 && Number.isFinite(penalty))))
    throw new LimnError(
      'usage/steering-option',
      named.length !== grid.positions.length
        ? `${named.length} roles were given for ${grid.positions.length} positions.`
        : `The penalty is a positive number; given ${penalty}.`,
      {
        details: { roles: named.length, positions: grid.positions.length, penalty: penalty ?? null },
        hint: 'Give one role per position of the grid, and a penalty above 0 in units of the grid.',
      },
    );
  const { values, live } = grid;
  const used = [...values.keys()].filter((i) => live[i] === true && values[i] !== null);
  if (used.length === 0)
    throw new LimnError('data/steering-grid', `'${grid.measure}' has no live cell with a number.`, {
      hint: 'Give a grid with numbers at cells that can have an effect.',
    });
  const largest = used.reduce((most, i) => Math.max(most, Math.abs(values[i] as number)), 0);
  const lambda = penalty ?? 0.05 * largest;
  const terms = termsOf(grid, named, used);
  const rest = Float64Array.from(values, (value) => value ?? 0);
  for (let sweep = 0, change = Infinity; sweep < 100_000 && change > ENOUGH * largest; sweep++) {
    change = 0;
    for (const term of terms) change = Math.max(change, descend(term, rest, lambda));
  }
  for (const term of terms)
    if (Math.abs(term.value) <= NOTHING * largest) {
      for (const cell of term.cells) rest[cell] = (rest[cell] as number) + term.value;
      term.value = 0;
    }
  const squares = (of: (i: number) => number): number => used.reduce((sum, i) => sum + of(i) ** 2, 0);
  const all = squares((i) => values[i] as number);
  const left = squares((i) => rest[i] as number);
  const alone = new Map(terms.filter(({ level }) => level === 'cell').map(({ cells, value }) => [cells[0], value]));
  const above = squares((i) => (rest[i] as number) + (alone.get(i) ?? 0));
  const found = (level: Term['level']): Term[] => terms.filter((term) => term.level === level && term.value !== 0);
  return {
    measure: grid.measure,
    penalty: lambda,
    sites: found('site').map(({ site, value }) => ({ site, value })),
    layers: found('layer').map(({ site, layer = 0, value }) => ({ site, layer, value })),
    roles: found('role').map(({ site, role = '', value }) => ({ site, role, value })),
    cells: found('cell').map(({ site, layer = 0, position = '', value }) => ({ site, layer, position, value })),
    objective: left / 2 + lambda * terms.reduce((sum, { level, value }) => sum + WEIGHTS[level] * Math.abs(value), 0),
    explained: all === 0 ? null : 1 - left / all,
    explainedAbove: all === 0 ? null : 1 - above / all,
    summary: grid.sites.map((site) => describeSite(site, terms, lambda)),
  };
}

/** The terms of all levels, coarse ones first. */
function termsOf({ sites, layers, positions }: CellGrid, roles: readonly string[], used: readonly number[]): Term[] {
  const terms = new Map<string, Term>();
  const add = (key: string, cell: number, term: Omit<Term, 'cells' | 'value'>): void => {
    const own = terms.get(key) ?? { ...term, cells: [], value: 0 };
    terms.set(key, own);
    own.cells.push(cell);
  };
  for (const cell of used) {
    const P = positions.length;
    const site = sites[Math.floor(cell / (P * layers.length))] as SteerableSite;
    const layer = layers[Math.floor(cell / P) % layers.length] as number;
    const [position, role] = [positions[cell % P] as string, roles[cell % P] as string];
    add(`site ${site}`, cell, { level: 'site', site });
    add(`layer ${site} ${layer}`, cell, { level: 'layer', site, layer });
    add(`role ${site} ${role}`, cell, { level: 'role', site, role });
    add(`cell ${cell}`, cell, { level: 'cell', site, layer, position });
  }
  const order = Object.keys(WEIGHTS);
  return [...terms.values()].sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
}

/** One exact step along one coordinate; how far it went. */
function descend(term: Term, rest: Float64Array, lambda: number): number {
  const n = term.cells.length;
  const mean = term.cells.reduce((sum, cell) => sum + (rest[cell] as number), 0) / n;
  const wanted = term.value + mean;
  const next = Math.sign(wanted) * Math.max(0, Math.abs(wanted) - (lambda * WEIGHTS[term.level]) / n);
  const change = next - term.value;
  if (change === 0) return 0;
  term.value = next;
  for (const cell of term.cells) rest[cell] = (rest[cell] as number) - change;
  return Math.abs(change);
}

/**
 * The highest level of a site, and the largest of what stands out from it. Coarser terms of at most 2λ are left out: a single cell leaves
 * some λ / (n − 1) in the n cells of its layer and its position.
 */
function describeSite(site: SteerableSite, terms: readonly Term[], lambda: number): string {
  const all = terms.filter(
    (term) => term.site === site && Math.abs(term.value) > (term.level === 'cell' ? 0 : 2 * lambda),
  );
  const rank = { site: 0, layer: 1, role: 1, cell: 2 } as const;
  const highest = Math.min(...all.map(({ level }) => rank[level]));
  const said = all.filter(({ level }) => rank[level] === highest);
  const finer = all.filter(({ level }) => rank[level] > highest).sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const [first] = finer;
  if (said.length === 0) return `${site}: nothing`;
  const rest = first
    ? `; ${finer.length} finer term${finer.length === 1 ? '' : 's'}, the largest ${describeTerm(first)}`
    : '';
  return `${site}: ${said.map(describeTerm).join(', ')}${rest}`;
}

function describeTerm({ level, layer, role, position, value }: Term): string {
  const amount = `(${value < 0 ? '−' : '+'}${Math.abs(value).toPrecision(2)})`;
  if (level === 'site') return `everywhere ${amount}`;
  if (level === 'layer') return `layer ${layer} at every position ${amount}`;
  if (level === 'role') return `position '${role}' in every layer ${amount}`;
  return `layer ${layer} at '${position}' ${amount}`;
}
