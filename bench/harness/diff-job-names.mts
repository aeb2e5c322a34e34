// What the benches of diffs trained at once are called: the bound and the page find them by it, without what runs them. Runs in Node and in browsers.

/** Diffs that are trained at once. */
export const DIFFS = 64;
/** What stands beside them. */
export const ONE_DIFF = 'one diff on as many tokens';
/** How their names begin. */
export const diffsJobName = (title: string): string => `${title}: ${DIFFS} diffs trained at once`;
