// What every clean/corrupted pair has, of whatever task and vocabulary.

/** Two prompts of equally many tokens, and the answers that tell them apart. */
export interface PromptPair {
  readonly clean: readonly number[];
  readonly corrupted: readonly number[];
  /** Ids that the clean prompt makes right, next after the prompt. */
  readonly correct: readonly number[];
  /** Ids that the clean prompt makes wrong. */
  readonly incorrect: readonly number[];
  /** The prompts as text, without the token that is put in front. */
  readonly cleanText: string;
  readonly corruptedText: string;
}

/** A pair whose answers are also known as text. */
export interface SpelledPair extends PromptPair {
  /** The answers as text, in the order of the ids; the whole words where an answer's first token counts. */
  readonly correctText: readonly string[];
  readonly incorrectText: readonly string[];
}
