// Other documents in front of a prompt: what gives prompts of one task other lengths.
import { drawDocument } from './corpus.js';
import type { Document } from './document.js';
import type { Random } from './random.js';
import { END_OF_TEXT_ID } from './vocabulary.js';

/** So many training documents, each with its end-of-text token, in at most `room` tokens; each may take an equal share of the room left. */
export function drawPrefix(random: Random, documents: number, room: number): number[] {
  const front: number[] = [];
  for (let i = 0; i < documents; i++) {
    const share = Math.floor((room - front.length) / (documents - i)) - 1;
    front.push(...drawShort(random, share).tokens, END_OF_TEXT_ID);
  }
  return front;
}

function drawShort(random: Random, room: number): Document {
  let document = drawDocument(random);
  while (document.tokens.length > room) document = drawDocument(random);
  return document;
}
