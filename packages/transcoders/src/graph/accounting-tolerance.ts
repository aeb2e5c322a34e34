// How far sums of edges may be from what they sum to.

/** Largest relative difference between a value and the sum of its edges, by default. */
export const ACCOUNTING_TOLERANCE = 1e-4;
