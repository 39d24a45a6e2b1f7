/** Walks lists page by page. */

/** What every answer of a list has. */
export interface Page<Item> {
  items: Item[];
  next_page_token: string;
}

/**
 * Each item of a list, asking for the next page when it is needed.
 *
 * What was there all the time comes exactly once, whatever is added or removed meanwhile. `page` is the call for the
 * page of a token, which is empty for the first one.
 */
export async function* every<Item>(page: (token: string) => Promise<Page<Item>>): AsyncGenerator<Item, void> {
  let token = "";
  do {
    const found = await page(token);
    yield* found.items;
    token = found.next_page_token;
  } while (token !== "");
}
