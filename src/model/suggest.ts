/** The word that was probably meant, or undefined when none is near. Of several that are as near, the one as long. */
export function suggest(word: string, known: Iterable<string>): string | undefined {
  let best: { readonly word: string; readonly distance: number; readonly longer: number } | undefined;
  for (const candidate of known) {
    const distance = distanceOf(word.toLowerCase(), candidate.toLowerCase());
    const longer = Math.abs(candidate.length - word.length);
    if (distance > Math.floor(candidate.length / 3)) continue;
    const isNearer =
      best === undefined || distance < best.distance || (distance === best.distance && longer < best.longer);
    if (isNearer) best = { word: candidate, distance, longer };
  }
  return best?.word;
}

/** The beginning of a word, or of a name of several the first one (`lag` of `lag_seconds`), is as near as one wrong letter. */
function distanceOf(word: string, candidate: string): number {
  const begins = candidate.startsWith(word) && /^[_.-]/.test(candidate.slice(word.length));
  if (begins && word.length >= 3) return 1;
  if (word.length >= 4 && (candidate.startsWith(word) || word.startsWith(candidate))) return 1;
  return editDistance(word, candidate);
}

/** `; did you mean X?` or nothing. */
export function didYouMean(word: string, known: Iterable<string>): string {
  const meant = suggest(word, known);
  return meant === undefined ? '' : `; did you mean ${meant}?`;
}

/** Levenshtein's distance with neighbours swapped as one edit. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swap =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
          ? (beforeLast[j - 2] ?? 0) + 1
          : Infinity;
      row.push(Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, change, swap));
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
