// Globs over names: `*` is any run of characters, also none, and `?` any one. No pattern costs more than its length times that of the name.

/** Whether the whole of `text` is what `glob` says. Of the stars only the last one met is ever tried again, as it can stand in for the others. */
export function matchesGlob(glob: string, text: string): boolean {
  let [g, t] = [0, 0];
  let star: { readonly behind: number; taken: number } | undefined;
  while (t < text.length) {
    if (glob[g] === '*') star = { behind: ++g, taken: t };
    else if (glob[g] === '?' || glob[g] === text[t]) {
      g++;
      t++;
    } else if (star) {
      g = star.behind;
      t = ++star.taken;
    } else return false;
  }
  while (glob[g] === '*') g++;
  return g === glob.length;
}
