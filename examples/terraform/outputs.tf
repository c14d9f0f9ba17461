output "url" {
  description = "The gate: 503 until it has signing keys and a policy."
  value       = "https://${var.domain}"
}

output "service_id" {
  description = "For FASTLY_SERVICE_ID."
  value       = fastly_service_compute.gate.id
}

output "kv_store_id" {
  description = "The store of the policy."
  value       = fastly_kvstore.gate.id
}

output "secret_store_id" {
  description = "The store of the signing keys."
  value       = fastly_secretstore.gate.id
}

output "dns_challenges" {
  description = "Records that show that the domain is yours: the certificate is issued once they exist."
  value       = flatten(fastly_tls_subscription.gate[*].managed_dns_challenges)
}

output "dns_targets" {
  description = "The domain becomes a CNAME of one of these."
  value = flatten([
    for configuration in data.fastly_tls_configuration.default : [
      for record in configuration.dns_records : record.record_value if record.record_type == "CNAME"
    ]
  ])
}
