// Tokens and measures as they are written in small places.

/** ' Paris' → 'Paris'; a token of spaces alone as a sign. */
export const bare = (token: string): string => token.replace(/^ (?=\S)/, '') || '␣';

/** Long tokens end in an ellipsis. */
export const clip = (text: string, most = 14): string =>
  [...text].length > most ? `${[...text].slice(0, most - 1).join('')}…` : text;

/** 'α' for 'alpha', '‖v‖' for 'norm'. */
export const measureName = (measure: string): string =>
  measure === 'alpha' ? 'α' : measure === 'norm' ? '‖v‖' : measure;
