// Entry point of an endpoint's page: its example calls.

import * as calls from "../../try-page/calls.js";

calls.start(() => {});
