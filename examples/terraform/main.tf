# The gate as a Compute service: domain, backends, stores, package, log endpoint and TLS.
# The policy and the signing keys are not here: README.md says why, and what writes them.

terraform {
  required_version = ">= 1.3"

  required_providers {
    fastly = {
      source  = "fastly/fastly"
      version = "~> 9.5"
    }
  }
}

# Reads the API token from FASTLY_API_KEY.
provider "fastly" {}

locals {
  # Fastly has DNS and a certificate for names below edgecompute.app.
  own_domain = endswith(var.domain, ".edgecompute.app") ? 0 : 1
}

# The names are those of the account, so each service has its own. The gate opens the stores by the names of the links below.
resource "fastly_kvstore" "gate" {
  name = var.service_name
}

resource "fastly_secretstore" "gate" {
  name = var.service_name
}

data "fastly_package_hash" "gate" {
  filename = var.package
}

resource "fastly_service_compute" "gate" {
  name = var.service_name

  domain {
    name = var.domain
  }

  dynamic "backend" {
    for_each = var.backends

    content {
      name              = backend.key
      address           = backend.value.address
      port              = backend.value.port
      override_host     = coalesce(backend.value.host, backend.value.address)
      use_ssl           = true
      ssl_check_cert    = true
      ssl_sni_hostname  = coalesce(backend.value.host, backend.value.address)
      ssl_cert_hostname = coalesce(backend.value.host, backend.value.address)
    }
  }

  # The gate opens both stores by the names of these links.
  resource_link {
    name        = "fastgate"
    resource_id = fastly_kvstore.gate.id
  }

  resource_link {
    name        = "fastgate"
    resource_id = fastly_secretstore.gate.id
  }

  # One line of JSON for each request. Any other `logging_…` block will do, with the same name.
  logging_https {
    name         = "fastgate"
    url          = var.log_url
    content_type = "application/x-ndjson"
    json_format  = "2" # a line for each entry
    message_type = "blank"
  }

  package {
    filename         = var.package
    source_code_hash = data.fastly_package_hash.gate.hash
  }
}

resource "fastly_tls_subscription" "gate" {
  count = local.own_domain

  domains               = [for domain in fastly_service_compute.gate.domain : domain.name]
  certificate_authority = "certainly"
}

data "fastly_tls_configuration" "default" {
  count = local.own_domain

  default = true
}
