// Shows the description of the API. The key that is typed here is not stored anywhere.
"use strict";

const place = document.getElementById("description");

SwaggerUIBundle({
  url: place.dataset.url,
  domNode: place,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  // The badge would send the description's address to a stranger's server.
  validatorUrl: null,
});
