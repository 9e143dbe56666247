import { Client, connect } from "./client.js";
import { WireroomError } from "./errors.js";

// The script of a page that has no bundler: everything is in the one global.
(globalThis as { Wireroom?: object }).Wireroom = { Client, WireroomError, connect };
