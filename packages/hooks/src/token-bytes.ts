// The bytes that each new token adds to a text, from the tokens just before it: a long generation costs no more per token than a short one.

/** The tokens that a token's bytes may depend on: so many in front of it that have bytes, and so many that have none. */
const LOOK_BACK = 4;

/** Bytes of one row's new tokens, one token after the other. */
export class TokenBytes {
  private recent: { readonly id: number; readonly silent: boolean }[] = [];

  constructor(private readonly decode: (ids: readonly number[]) => Uint8Array) {}

  /** What a token adds behind those before it: a space in front of a word depends on what came before. */
  push(id: number): Uint8Array {
    const before = this.recent.map((token) => token.id);
    const known = before.length === 0 ? 0 : this.decode(before).length;
    const added = this.decode([...before, id]).slice(known);
    this.recent.push({ id, silent: added.length === 0 });
    this.forget(added.length === 0);
    return added;
  }

  /** Keeps LOOK_BACK tokens of either kind. */
  private forget(silent: boolean): void {
    const alike = this.recent.filter((token) => token.silent === silent);
    if (alike.length > LOOK_BACK) this.recent = this.recent.filter((token) => token !== alike[0]);
  }
}
